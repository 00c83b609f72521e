"""A conversation of langchain-mcp-adapters: `python use_langchain.py MODEL_URL COMMAND…`."""

import asyncio
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langchain_openai import ChatOpenAI

url, command, *arguments = sys.argv[1:]


async def main():
    client = MultiServerMCPClient({"codeact": {"transport": "stdio", "command": command, "args": arguments}})
    # One server for all calls; `client.get_tools()` would start one for each.
    async with client.session("codeact") as session:
        agent = create_agent(ChatOpenAI(model="m", base_url=url, api_key="x"), await load_mcp_tools(session))
        await agent.ainvoke({"messages": [("user", "go")]}, {"recursion_limit": 200})


asyncio.run(main())

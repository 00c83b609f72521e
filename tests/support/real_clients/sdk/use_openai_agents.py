"""A conversation of openai-agents: `python use_openai_agents.py MODEL_URL COMMAND…`."""

import asyncio
import sys

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI

url, command, *arguments = sys.argv[1:]


async def main():
    # Its default of 5 s would end every longer program.
    server = MCPServerStdio(params={"command": command, "args": arguments}, client_session_timeout_seconds=300)
    async with server:
        model = OpenAIChatCompletionsModel("m", AsyncOpenAI(base_url=url))
        await Runner.run(Agent(name="test", mcp_servers=[server], model=model), "go", max_turns=100)


set_tracing_disabled(True)
asyncio.run(main())

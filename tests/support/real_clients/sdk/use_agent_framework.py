"""A conversation of agent-framework-core: `python use_agent_framework.py MODEL_URL COMMAND…`."""

import asyncio
import sys

from agent_framework import Agent, MCPStdioTool
from agent_framework.openai import OpenAIChatCompletionClient

url, command, *arguments = sys.argv[1:]


async def main():
    server = MCPStdioTool(name="codeact", command=command, args=arguments, load_prompts=False, request_timeout=300)
    calls = {
        "max_iterations": 100,
        "max_consecutive_errors_per_request": 100,
        # Without it the model reads "Error: Function failed." and nothing of any failure.
        "include_detailed_errors": True,
    }
    client = OpenAIChatCompletionClient(model="m", api_key="x", base_url=url, function_invocation_configuration=calls)
    async with server, Agent(client=client, tools=[server]) as agent:
        await agent.run("go")


asyncio.run(main())

"""Lists and calls the tools of an MCP server with the official client, as `user`, in one of its
modes (`auto`: the current protocol, `legacy`: the handshake before it). The calls come as JSON on
the command line; what they gave is printed as JSON."""

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url, user, mode, calls):
    headers = {"x-user-id": user} if user else {}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode) as client:
            tools = (await client.list_tools()).tools
            gave = []
            for tool, arguments in calls:
                # The client holds each answer against the tool's schema.
                result = await client.call_tool(tool, arguments)
                text = " ".join(block.text for block in result.content)
                gave.append(
                    {"error": text} if result.is_error else result.structured_content
                )
            print(
                json.dumps(
                    {
                        "version": client.protocol_version,
                        "tools": [tool.name for tool in tools],
                        "gave": gave,
                    }
                )
            )


asyncio.run(main(*sys.argv[1:4], json.loads(sys.argv[4])))

"""The official client of MCP in Python, over HTTP: python.py URL. Prints a line for each step, and fails at the first wrong one."""

import asyncio
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main(url: str) -> None:
    async with streamablehttp_client(url) as (read, write, _):
        async with ClientSession(read, write) as session:
            started = await session.initialize()
            assert started.serverInfo.name == "photongate", started
            print("initialize", started.protocolVersion)
            names = [tool.name for tool in (await session.list_tools()).tools]
            assert "Books_AddBook" in names, names
            print("tools/list", len(names))
            book = {"id": "a", "sold": "9007199254740993", "related": [{"id": "b"}]}
            result = await session.call_tool("Books_AddBook", book)
            assert not result.isError and result.structuredContent == book, result
            print("tools/call", result.structuredContent)
            wrong = await session.call_tool("Books_AddBook", {"id": 4})
            assert wrong.isError and wrong.content[0].text.startswith("INVALID_ARGUMENT: id: found 4"), wrong
            print("tools/call", wrong.content[0].text.splitlines()[0])

            seen = []

            async def progress(done, _total, message):
                seen.append((done, message))

            watched = await session.call_tool("Books_WatchBooks", {"id": "a"}, progress_callback=progress)
            assert watched.structuredContent == {"messages": [{"id": "a"}]}, watched
            assert seen == [(1.0, '{"id":"a"}')], seen
            print("progress", seen)


asyncio.run(main(sys.argv[1]))

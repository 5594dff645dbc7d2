"""A room as one first writes it in asyncio: streams, a line at a time."""

from __future__ import annotations

import asyncio
import sys

guests: dict[asyncio.StreamWriter, bytes] = {}


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell everybody else what one guest says."""
    guests[writer] = b"guest%d: " % len(guests)
    while line := await reader.readline():
        said = guests[writer] + line
        for guest in guests:
            if guest is not writer:
                guest.write(said)
    del guests[writer]
    writer.close()


async def main(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.start_server(talk, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

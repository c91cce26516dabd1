"""Puts one question to one port and prints the fact as JSON: python -m tests.probes.ask_one udp 127.0.0.1 69 tftp"""

from __future__ import annotations

import asyncio
import sys

from flexiscan_probes import tcp, udp
from tests.probes.real_context import context, task


async def main(transport: str, address: str, port: str, question: str) -> None:
    async with context(address) as ctx:
        if transport == "tcp":
            print((await tcp.observe(ctx, task(address, "tcp", int(port), question=question))).model_dump_json())
        else:
            print((await udp.observe(ctx, task(address, "udp", int(port), question=question))).model_dump_json())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

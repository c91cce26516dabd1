"""Puts questions to ports and prints each fact as JSON: python -m tests.probes.ask_one udp 127.0.0.1 69 tftp ..."""

from __future__ import annotations

import asyncio
import sys

from flexiscan.model.facts import TcpExchange, UdpExchange
from flexiscan_probes import tcp, tcp_service, udp
from flexiscan_probes.tcp_service import INSIDE
from tests.probes.real_context import context, task


async def ask(transport: str, address: str, port: int, question: str) -> TcpExchange | UdpExchange:
    async with context(address) as ctx:
        if transport == "udp":
            return await udp.observe(ctx, task(address, "udp", port, question=question))
        if question.startswith(INSIDE):
            inside = task(address, "tcp", port, question=question.removeprefix(INSIDE), inside_tls=True)
            return await tcp_service.observe(ctx, inside)
        return await tcp.observe(ctx, task(address, "tcp", port, question=question))


async def main(words: list[str]) -> None:
    while words:
        (transport, address, port, question), words = words[:4], words[4:]
        print((await ask(transport, address, int(port), question)).model_dump_json())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

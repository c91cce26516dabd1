"""The process with raw sockets, spoken to by hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flexiscan.model.facts_raw import SynProbe
from flexiscan.model.target import Rates
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.raw.ask import ask_half_open
from flexiscan.net.raw.link import MODULE, RawLink, raw_link
from flexiscan.net.raw.right import why_not
from flexiscan.net.wall import ScopeWall

needs_raw_sockets = pytest.mark.skipif(
    why_not() is not None, reason="raw sockets are not allowed here: their helper is left untested"
)


def started() -> subprocess.Popen[bytes]:
    """The helper with pipes, as a parent would start it."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", MODULE], stdin=pipe, stdout=pipe, stderr=pipe, env=environment)


def said(orders: bytes) -> tuple[int, bytes, bytes]:
    """Exit code, reports and complaints after these bytes and the end of input."""
    with started() as helper:
        reports, complaints = helper.communicate(orders, timeout=60)
        return helper.returncode, reports, complaints


def status(process_id: int) -> dict[str, str]:
    """What the kernel says about a process."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def free_port(address: str) -> int:
    """A TCP port where nobody listens."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as holder:
        holder.bind((address, 0))
        return int(holder.getsockname()[1])


class Asking:
    """Half-open questions through one helper."""

    def __init__(self, link: RawLink, wall: ScopeWall) -> None:
        self.link = link
        self.wall = wall
        self._clock = Clock()
        self._pace = Pace(Rates(), self._clock)

    async def ask(self, address: str, port: int) -> SynProbe:
        return await ask_half_open(self.link, address, port, pace=self._pace, wall=self.wall, clock=self._clock)

    async def close(self) -> None:
        await self._pace.aclose()


@contextlib.asynccontextmanager
async def asking(wall: ScopeWall, capture: Path | None = None) -> AsyncIterator[Asking]:
    """A helper behind a wall; ended by force at the end of the block."""
    async with raw_link(capture) as link, asyncio.timeout(60):
        await link.widen(wall)
        run = Asking(link, wall)
        try:
            yield run
        finally:
            await run.close()

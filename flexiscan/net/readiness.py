"""Waiting for a descriptor without losing what arrives meanwhile.

`loop.sock_recv` under a timeout can read bytes and then throw them away when the timeout strikes in the same step.
Here only the readiness is waited for; the caller reads by itself.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Literal


async def is_ready(sock: socket.socket, direction: Literal["read", "write"], *, timeout_s: float) -> bool:
    """Wait until the socket can be read or written (or has an error); False when `timeout_s` passed first."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    add, remove = (
        (loop.add_reader, loop.remove_reader) if direction == "read" else (loop.add_writer, loop.remove_writer)
    )
    add(sock, _resolve, ready)
    try:
        async with asyncio.timeout(max(0.0, timeout_s)):
            await ready
    except TimeoutError:
        return False
    finally:
        remove(sock)
    return True


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)

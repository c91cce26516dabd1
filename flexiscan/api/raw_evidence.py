"""The raw sockets of a run: started before anything is sent, ended with a word about what was captured."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from flexiscan.errors import UsageError
from flexiscan.net.link import CannotLook
from flexiscan.net.raw.link import CAPTURE_NAME, RawLink, raw_link
from flexiscan.net.raw.right import why_not
from flexiscan.net.wall import ScopeWall
from flexiscan.store.events import Event, PacketsKept


def check_right() -> None:
    """Raise UsageError when this process may not open raw sockets."""
    found = why_not()
    if found is not None:
        raise UsageError(*found)


@contextlib.asynccontextmanager
async def raw_evidence(folder: Path, wall: ScopeWall, write: Callable[[Event], None]) -> AsyncIterator[RawLink]:
    """The process with raw sockets while the block lasts; then the capture is closed and noted in the record.

    `wall`: what may be sent to, and is captured, from the beginning. Raises UsageError when it cannot be started.
    """
    async with contextlib.AsyncExitStack() as held:
        try:
            link = await held.enter_async_context(raw_link(folder / CAPTURE_NAME))
            await link.widen(wall)
        except CannotLook as obstacle:
            raise UsageError(f"--raw: {obstacle.detail}; nothing was sent", "leave out --raw") from obstacle
        except OSError as error:
            raise UsageError(f"--raw: {error}; nothing was sent", "choose another --record folder") from error
        try:
            yield link
        finally:
            write(PacketsKept(capture=await link.finish()))

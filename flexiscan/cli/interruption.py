"""Ctrl-C while a scan runs: it is ended in order, however often the key is pressed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine, Iterator
from types import FrameType
from typing import Any, TypeVar

GRACE_S = 3.0
"""What ending in order may take before another Ctrl-C ends the process at once."""

T = TypeVar("T")


class Interruption:
    """Takes SIGINT in place of Python, which would raise a second one in the middle of the event loop.

    That leaves tasks behind that nobody wakes, and the process waits for them for ever. Here the first SIGINT
    cancels the scan, further ones are for the impatient, and one after `GRACE_S` ends the process by the signal's
    default action: the record is on disk line by line.
    """

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    async def guard(self, scanning: Coroutine[Any, Any, T]) -> T:
        """Run a scan that SIGINT cancels."""
        task = asyncio.current_task()
        if task is not None:
            self._running = asyncio.get_running_loop(), task
        try:
            return await scanning
        finally:
            self._running = None

    def take(self, _signal: int, _frame: FrameType | None) -> None:
        """The signal handler. Raises KeyboardInterrupt when there is no scan to be ended in order."""
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
            if self._running is None:
                raise KeyboardInterrupt
            loop, task = self._running
            loop.call_soon_threadsafe(task.cancel)
        elif now_s - self._first_s > GRACE_S:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def taking_interrupts() -> Iterator[Interruption]:
    """While it lasts, SIGINT is taken so."""
    interruption = Interruption()
    before = signal.signal(signal.SIGINT, interruption.take)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)

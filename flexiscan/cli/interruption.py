"""Ctrl-C or a service manager's "stop" while a scan runs: it is ended in order, however often it is asked."""

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

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""The key, and what service managers, time limits and shutdowns send (systemd.kill(5))."""

T = TypeVar("T")


class Interruption:
    """Takes the signals in place of Python, which would raise a second SIGINT in the middle of the event loop.

    That leaves tasks behind that nobody wakes, and the process waits for them for ever. Here the first signal
    cancels the scan, further ones are for the impatient, and one after `GRACE_S` ends the process by the signal's
    default action: the record is on disk line by line.
    """

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    async def guard(self, scanning: Coroutine[Any, Any, T]) -> T:
        """Run a scan that the signals cancel."""
        task = asyncio.current_task()
        if task is not None:
            self._running = asyncio.get_running_loop(), task
        try:
            return await scanning
        finally:
            self._running = None

    def take(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler. Raises KeyboardInterrupt when there is no scan to be ended in order."""
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
            if self._running is None:
                raise KeyboardInterrupt
            loop, task = self._running
            loop.call_soon_threadsafe(task.cancel)
        elif now_s - self._first_s > GRACE_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


@contextlib.contextmanager
def taking_interrupts() -> Iterator[Interruption]:
    """While it lasts, the signals are taken so."""
    interruption = Interruption()
    before = [signal.signal(number, interruption.take) for number in SIGNALS]
    try:
        yield interruption
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)

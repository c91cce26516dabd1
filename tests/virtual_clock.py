"""Time that jumps: a clock and an event loop for tests, so that nothing ever waits.

The loop runs what is ready; when nothing is, its time jumps to the next timer. No descriptor may be waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import selectors
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar
from unittest import mock

from flexiscan.net.clock import Clock

_Result = TypeVar("_Result")

EPOCH = dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)


class VirtualClock(Clock):
    """Reads the time of the loop that runs; starts at noon of 1 January 2026, UTC."""

    def __init__(self, epoch: dt.datetime = EPOCH) -> None:
        self.epoch = epoch

    def now(self) -> dt.datetime:
        return self.epoch + dt.timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class _JumpingSelector(selectors.SelectSelector):
    """Never blocks: a wait becomes a jump of the loop's time."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing is left to wait for: the test would hang")
        self.now_s += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


@contextlib.contextmanager
def _throttler_reads(loop: VirtualLoop) -> Iterator[None]:
    """The throttler asks the time module; here it gets the loop's time."""
    clock = mock.Mock(spec=["monotonic"], monotonic=loop.time)
    with mock.patch("asyncio_throttle.throttler.time", clock):
        yield


def run_virtually(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end in a loop of its own, in no time."""
    loop = VirtualLoop()
    with _throttler_reads(loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)

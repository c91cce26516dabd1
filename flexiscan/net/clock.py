"""The clock of a run: nothing else in the core asks the system for the time."""

from __future__ import annotations

import asyncio
import datetime as dt
import time


class Clock:
    """The system's clocks. Tests put a twin in its place that jumps instead of waiting."""

    def now(self) -> dt.datetime:
        """The time of day, aware, in UTC."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow; their zero means nothing."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Let others run for this many seconds."""
        await asyncio.sleep(duration_s)

"""The agreed time window of a target."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: (\S+))?")


@dataclass(frozen=True, slots=True)
class Window:
    """A daily window in local time of a zone; it may cross midnight. The end is not part of it."""

    start: dt.time
    end: dt.time
    zone: dt.tzinfo

    def is_open(self, moment: dt.datetime) -> bool:
        """Whether an aware moment lies inside."""
        local = moment.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


def parse_window(text: str) -> Window:
    """Read "HH:MM-HH:MM Area/City" (no zone: UTC). Raises ValueError."""
    match = _WINDOW.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r} is not a window such as "01:00-05:00 Europe/Stockholm"')
    first, second, third, fourth, zone = match.groups()
    start, end = dt.time(int(first), int(second)), dt.time(int(third), int(fourth))
    if start == end:
        raise ValueError(f"the window {text!r} is empty")
    try:
        return Window(start, end, ZoneInfo(zone) if zone else dt.UTC)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{zone!r} is not a known time zone") from error

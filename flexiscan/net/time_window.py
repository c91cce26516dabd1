"""The hours of the day in which the owner allows packets."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass

_SHAPE = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d) ([A-Za-z][A-Za-z0-9_+/-]*)")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """From `start` until just before `end`, every day, by the wall clock of `zone`; may run past midnight."""

    start: dt.time
    end: dt.time
    zone: zoneinfo.ZoneInfo

    def contains(self, moment: dt.datetime) -> bool:
        """Whether an aware moment lies in the window."""
        local = moment.astimezone(self.zone).time().replace(tzinfo=None)
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


def read_time_window(text: str) -> TimeWindow:
    """Read "HH:MM-HH:MM Area/City".

    Raises ValueError when the shape, an hour or the zone is wrong, or when start and end are the same.
    """
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f'a time window is written "HH:MM-HH:MM Area/City", not {text!r}')
    hours = [int(part) for part in found.groups()[:4]]
    start, end = dt.time(hours[0], hours[1]), dt.time(hours[2], hours[3])
    if start == end:
        raise ValueError(f"the time window {text!r} is empty")
    try:
        zone = zoneinfo.ZoneInfo(found[5])
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"the time zone {found[5]!r} is not known here") from error
    return TimeWindow(start, end, zone)

"""Dates and times as people write them."""

from __future__ import annotations

import datetime as dt


def local_and_utc(moment: dt.datetime, locale: str, zone: dt.tzinfo | None = None) -> str:
    """ "23 November 2026, 02:14 CET (01:14 UTC)"; the zone is the machine's own unless given."""
    from babel.dates import format_datetime

    local = moment.astimezone(zone)
    utc = moment.astimezone(dt.UTC)
    shown = format_datetime(local, "d MMMM y, HH:mm", locale=locale)
    name = _zone_name(local)
    if local.utcoffset() == dt.timedelta(0):
        return f"{shown} UTC"
    utc_pattern = "HH:mm" if utc.date() == local.date() else "d MMMM HH:mm"
    return f"{shown} {name} ({format_datetime(utc, utc_pattern, locale=locale)} UTC)"


def local_short(moment: dt.datetime, zone: dt.tzinfo | None = None) -> str:
    """ "2026-11-23 02:14 CET"."""
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M} {_zone_name(local)}"


def clock_time(moment: dt.datetime) -> str:
    """ "01:14:05.123" in UTC: how observations are dated."""
    return f"{moment.astimezone(dt.UTC):%H:%M:%S.%f}"[:-3]


def duration(seconds: float, locale: str) -> str:
    """ "41 s", "0.12 s", "3 min 20 s"; with a decimal comma in Swedish."""
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    text = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2f}"
    return (text.replace(".", ",") if locale == "sv" else text) + " s"


def _zone_name(local: dt.datetime) -> str:
    offset = local.utcoffset()
    if offset == dt.timedelta(0):
        return "UTC"
    name = local.tzname() or ""
    return name if name.isalpha() else f"UTC{local:%z}"

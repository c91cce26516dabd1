"""The doctor's findings for people: what was seen, what it means for a scan, what to do about it."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from flexiscan.api.doctor import Check, Diagnosis

_COLORS: Final = {"ok": "green", "limited": "yellow", "failed": "red"}
_MARGIN: Final = "  "
_STATE_WIDTH: Final = 9
_LEAST_TEXT: Final = 30


def as_lines(diagnosis: Diagnosis, width: int = 100, *, colored: bool = False) -> str:
    """A headline, a paragraph a check, and what follows for a scan; lines of at most `width` columns."""
    made = f"{diagnosis.made:%Y-%m-%d %H:%M} UTC"
    title = "What a scan from here can see"
    names = max(len(check.name) for check in diagnosis.checks)
    if width < len(_MARGIN) + _STATE_WIDTH + names + 2 + _LEAST_TEXT:  # a narrow terminal: the text under its name
        names = 0
    paragraphs = [line for check in diagnosis.checks for line in _paragraph(check, names, width, colored)]
    head = f"{title}{made:>{width - len(title)}}" if len(title) + len(made) < width else f"{title}\n{made}"
    return "\n".join([_bold(head, colored), "", *paragraphs, "", _summary(diagnosis, width, colored)])


def _paragraph(check: Check, names: int, width: int, colored: bool) -> Iterable[str]:
    """The texts of a check stand beside its name, or under it when `names` is 0."""
    state = click.style(f"{check.state:{_STATE_WIDTH}}", fg=_COLORS[check.state], bold=check.state == "failed")
    plain = f"{check.state:{_STATE_WIDTH}}"
    begin = _MARGIN + (state if colored else plain)
    indent = " " * (len(_MARGIN) + _STATE_WIDTH + (names + 2 if names else 0))
    texts = [check.seen, check.means and f"→ {check.means}", check.next_step and f"next: {check.next_step}"]
    lines = [line for text in texts if text for line in _wrapped(text, width - len(indent))]
    if not names:
        yield begin + check.name
        yield from (indent + line for line in lines)
        return
    yield f"{begin}{check.name:{names}}  {lines[0]}"
    yield from (indent + line for line in lines[1:])


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, _LEAST_TEXT), subsequent_indent="  ", break_on_hyphens=False)


def _summary(diagnosis: Diagnosis, width: int, colored: bool) -> str:
    tally = Counter(check.state for check in diagnosis.checks)
    counts = f"{tally['ok']} in order, {tally['limited']} limited, {tally['failed']} failed"
    if tally["failed"]:
        end = "a scan from here leaves verdicts open"
    elif tally["limited"]:
        end = "a scan from here is sound, with less certainty where it says limited"
    else:
        end = "a scan from here sees everything that the guide asks for"
    return _bold("\n".join(textwrap.wrap(f"{counts}: {end}.", width)), colored)


def _bold(text: str, colored: bool) -> str:
    return click.style(text, bold=True) if colored else text

"""Fills the sentences of the catalogue with values that a target may have chosen.

A sentence knows two marks: `{name}` stands for a value, and `[ ... {name} ... ]` holds a part that is left out
when one of its values is missing. A missing value outside brackets reads "?". Values are never read as marks, and
nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flexiscan_reports.visible import show

MISSING = "?"

_PART = re.compile(r"\[([^\[\]]*)\]")
_NAME = re.compile(r"\{([a-z0-9_]+)\}")

_SAFE = re.compile(r"[A-Za-z0-9._:,/ -]+")

MAX_LISTED = 6
"""Members of a list that a sentence names; the rest is counted."""


def names_in(sentence: str) -> frozenset[str]:
    """The values that a sentence can show."""
    return frozenset(_NAME.findall(sentence))


def fill(sentence: str, values: Mapping[str, Any], yes_no: tuple[str, str] = ("yes", "no")) -> str:
    """The sentence with its values, each made visible and cut to a readable length."""

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1])
        return MISSING if _absent(value) else plain(value, yes_no)

    def part_of(match: re.Match[str]) -> str:
        names = _NAME.findall(match[1])
        if not names:
            return match[0]
        return "" if any(_absent(values.get(name)) for name in names) else _NAME.sub(value_of, match[1])

    pieces: list[str] = []
    end = 0
    for match in _PART.finditer(sentence):
        pieces += [_NAME.sub(value_of, sentence[end : match.start()]), part_of(match)]
        end = match.end()
    pieces.append(_NAME.sub(value_of, sentence[end:]))
    return "".join(pieces)


def fill_command(line: str, values: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The command lines of a pattern: one for each value of a name, none when a name has no value.

    Braces that hold anything but a known name are part of the command. A value that a shell could read as more
    than a word is replaced by its name in angle brackets: nobody shall paste what a stranger wrote.
    """
    lines = [line]
    for name in sorted(names_in(line) & values.keys()):
        safe = [value if _SAFE.fullmatch(value) else f"<{name}>" for value in values[name]]
        lines = [entry.replace("{" + name + "}", value) for entry in lines for value in safe]
    return tuple(lines)


def plain(value: Any, yes_no: tuple[str, str] = ("yes", "no")) -> str:
    """A parameter of a finding as text: lists with commas, mappings as pairs, text made visible."""
    if isinstance(value, bool):
        return yes_no[0] if value else yes_no[1]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return _listed([f"{plain(key, yes_no)}: {plain(item, yes_no)}" for key, item in value.items()])
    if isinstance(value, (list, tuple, set, frozenset)):
        return _listed([plain(item, yes_no) for item in value])
    return show(str(value))


def _listed(items: list[str]) -> str:
    rest = len(items) - MAX_LISTED
    shown = items if rest <= 0 else [*items[:MAX_LISTED], f"… (+{rest})"]
    return ", ".join(shown)


def _absent(value: Any) -> bool:
    return value is None or value in ("", (), [], {})

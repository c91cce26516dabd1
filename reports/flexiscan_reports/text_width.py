"""Columns of a terminal: how wide text is, and how it is broken into lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def width_of(text: str) -> int:
    """Columns that the text takes: none for combining marks, two for wide characters (UAX 11), else one."""
    return sum(_width(character) for character in text)


def pad(text: str, width: int) -> str:
    """The text filled up with spaces to a width in columns."""
    return text + " " * max(0, width - width_of(text))


def wrap(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """The text in lines of at most `width` columns, the first led by `first`, the others by `rest`.

    Breaks at spaces, and keeps several of them within a line; a word that is too long by itself is cut where the
    line ends.
    """
    room = max(2, width - max(width_of(first), width_of(rest)))
    lines: list[str] = []
    line, used, empty = first, width_of(first), True
    for gap, word in _WORD.findall(text):
        for piece in _pieces(word, room):
            size = width_of(piece)
            if not empty and used + len(gap) + size > width:
                lines.append(line)
                line, used, empty = rest, width_of(rest), True
            lead = "" if empty else gap
            line, used, empty = f"{line}{lead}{piece}", used + len(lead) + size, False
    return [*lines, line.rstrip()]


_WORD = re.compile(r"( *)([^ ]+)")


def _pieces(word: str, room: int) -> Iterable[str]:
    piece, used = "", 0
    for character in word:
        size = _width(character)
        if used + size > room:
            yield piece
            piece, used = "", 0
        piece += character
        used += size
    yield piece


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1

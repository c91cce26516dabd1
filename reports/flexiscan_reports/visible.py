"""Makes text that a target sent harmless and readable: nothing hidden, nothing endless."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

MAX_VALUE_CHARACTERS = 300
"""Longest value that a report quotes in a sentence."""

MAX_MARKS = 2
"""Combining marks on one character; written languages need no more, stacked ones cover the lines around them."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode general categories without a glyph of their own: controls, bidi and zero-width marks, separators."""


def show(value: str, limit: int = MAX_VALUE_CHARACTERS) -> str:
    """The value on one line with every invisible character spelled out as <U+XXXX> and a visible cut at `limit`.

    Line breaks and tabs are spelled out too. What was cut is said: "… (+N characters)".
    """
    kept = value[:limit]
    text = "".join(_spell(kept))
    rest = len(value) - len(kept)
    return text if rest == 0 else f"{text}… (+{rest})"


def show_lines(value: str, limit: int = 2000) -> str:
    """Like `show`, but real line ends stay line ends: for blocks of evidence."""
    kept = value[:limit]
    lines = kept.replace("\r\n", "\n").split("\n")
    text = "\n".join("".join(_spell(line)) for line in lines)
    rest = len(value) - len(kept)
    return text if rest == 0 else f"{text}… (+{rest})"


def _spell(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in _HIDDEN or marks > MAX_MARKS:
            yield f"<U+{ord(character):04X}>"
        else:
            yield character


MAX_BYTES = 256
"""Bytes of an exchange that a report quotes."""


def show_bytes(data: bytes, limit: int = MAX_BYTES) -> str:
    """Bytes as text: printable ASCII as it is, line ends as line ends, all else as \\xNN; cut at `limit`."""
    kept = data[:limit].replace(b"\r\n", b"\n")
    text = "".join(chr(byte) if 32 <= byte < 127 or byte == 10 else f"\\x{byte:02x}" for byte in kept)
    rest = len(data) - limit
    return text if rest <= 0 else f"{text}… (+{rest})"

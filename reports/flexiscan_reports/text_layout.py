"""Lines of the terminal summary: signs, columns and colours. A colour never says anything alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from flexiscan_reports.text_width import pad, width_of, wrap
from flexiscan_reports.texts import Texts
from flexiscan_reports.visible import show

RESET = "\x1b[0m"
COLORS = {
    "pass": "\x1b[32m",
    "partial": "\x1b[32m",
    "fail": "\x1b[31m",
    "inconclusive": "\x1b[33m",
    "critical": "\x1b[1;31m",
}
"""SGR sequences (ECMA-48 8.3.117): the eight basic colours, which every terminal lets its owner choose."""

SIGNED = ("pass", "fail", "inconclusive")


@dataclass(frozen=True, slots=True)
class Layout:
    """Sets text in lines of a width. Everything that it is given has been made visible."""

    texts: Texts
    width: int
    color: bool

    @property
    def margin(self) -> int:
        """Columns that the widest sign takes, with the space after it."""
        return max(width_of(self.texts.word(f"text.{kind}")) for kind in SIGNED) + 2

    def severity(self, word: str) -> str:
        """The word for a severity, as wide as the widest."""
        return pad(word, max(width_of(str(known)) for known in self.texts.words["severity"].values()) + 2)

    def paragraph(self, text: str, lead: str = "") -> list[str]:
        """Text with the same lead on every line."""
        return wrap(text, self.width, lead, lead)

    def indented(self, text: str) -> list[str]:
        """Text below a sign."""
        return self.paragraph(text, " " * self.margin)

    def signed(self, kind: str, text: str, color: str = "") -> list[str]:
        """Text beside the sign of a verdict; the sign is coloured."""
        sign = pad(self.texts.word(f"text.{kind}"), self.margin)
        first, *rest = wrap(text, self.width, sign, " " * self.margin)
        return [self._colored(sign, COLORS.get(color, COLORS[kind])) + first[len(sign) :], *rest]

    def verdict(self, text: str, kind: str) -> list[str]:
        """The last lines, in the colour of the verdict."""
        return [self._colored(line, COLORS.get(kind, "")) for line in wrap(text, self.width)]

    def files(self, names: Iterable[str]) -> list[str]:
        """Names of files, cut from the left when they are longer than half a line."""
        room = self.width // 2
        return [self._short_name(show(name), room) for name in names]

    @staticmethod
    def _short_name(name: str, room: int) -> str:
        if width_of(name) <= room:
            return name
        last = PurePath(name).name
        return f"…/{last}" if width_of(last) + 2 <= room else f"…{last[-(room // 2) :]}"

    def _colored(self, text: str, code: str) -> str:
        return f"{code}{text}{RESET}" if self.color and code else text

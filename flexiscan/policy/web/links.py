"""Addresses that a page leads its visitor to: links, forms, what it loads, and the base of them all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import urlsplit

LinkKind = Literal["link", "form", "base", "load", "refresh"]

_ATTRIBUTES: dict[tuple[str, str], LinkKind] = {
    ("a", "href"): "link",
    ("area", "href"): "link",
    ("link", "href"): "load",
    ("form", "action"): "form",
    ("button", "formaction"): "form",
    ("input", "formaction"): "form",
    ("base", "href"): "base",
    ("script", "src"): "load",
    ("img", "src"): "load",
    ("iframe", "src"): "load",
    ("frame", "src"): "load",
    ("embed", "src"): "load",
    ("object", "data"): "load",
}
"""HTML Living Standard, index of attributes that take a URL: those that lead a visitor or fetch something."""
_REFRESH = re.compile(r"url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    """One address in a page, as written."""

    kind: LinkKind
    url: str

    @property
    def scheme(self) -> str:
        """Lower case; empty for a relative address, or one that cannot be read."""
        return self._parts()[0]

    @property
    def host(self) -> str:
        """Lower case, without port; empty for a relative address, or one that cannot be read."""
        return self._parts()[1]

    def _parts(self) -> tuple[str, str]:
        try:
            parts = urlsplit(self.url.strip())
            return parts.scheme.lower(), (parts.hostname or "").rstrip(".")
        except ValueError:
            return "", ""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Link] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            kind = _ATTRIBUTES.get((tag, name))
            if kind is not None and value:
                self.found.append(Link(kind, value))
        given = dict(attrs)
        if tag == "meta" and (given.get("http-equiv") or "").lower() == "refresh":
            match = _REFRESH.search(given.get("content") or "")
            if match:
                self.found.append(Link("refresh", match[1]))


def links_of(text: str) -> tuple[Link, ...]:
    """Every address of an HTML text, in order. Broken markup is read as far as it goes."""
    reader = _Links()
    reader.feed(text)
    return tuple(reader.found)

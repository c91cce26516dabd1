"""Which headers of an answer tell product versions, read once from `data/web_headers.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from flexiscan.model.facts import HttpExchange


@dataclass(frozen=True, slots=True)
class TellingHeaders:
    """The data file's lists; see there."""

    telling: frozenset[str]
    valued: frozenset[str]
    product_version: re.Pattern[str]
    protocol: re.Pattern[str]

    def found_in(self, exchange: HttpExchange) -> tuple[tuple[str, str], ...]:
        """Name and value of every header line that tells a version, in order, duplicates kept."""
        return tuple((name, value) for name, value in exchange.headers if self._tells(name.lower(), value))

    def _tells(self, name: str, value: str) -> bool:
        if name in self.telling:
            return True
        return name in self.valued and self.product_version.search(self.protocol.sub(" ", value)) is not None


@cache
def load_telling_headers() -> TellingHeaders:
    """The shipped lists. Raises KeyError or re.error when the data file is broken."""
    text = resources.files("flexiscan.policy").joinpath("data", "web_headers.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return TellingHeaders(
        telling=frozenset(data["telling"]),
        valued=frozenset(data["valued"]),
        product_version=re.compile(data["product_version"]),
        protocol=re.compile(data["protocol"]),
    )

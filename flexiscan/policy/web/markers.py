"""The signs by which web answers are recognised, read once from `data/web_markers.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Signs:
    """Several expressions that mean the same."""

    expression: re.Pattern[str]

    def found_in(self, text: str) -> bool:
        """Whether any of them is found."""
        return self.expression.search(text) is not None


@dataclass(frozen=True, slots=True)
class Markers:
    """All signs; see the data file for what each list means."""

    admin: Signs
    password_field: Signs
    login_location: Signs
    php_error: Signs
    aspnet_error: Signs
    php_text: Signs
    aspnet_text: Signs
    block_refusal: Signs
    block_filter: Signs
    block_headers: Signs


@cache
def load_markers() -> Markers:
    """The shipped markers. Raises KeyError or re.error when the data file is broken."""
    text = resources.files("flexiscan.policy").joinpath("data", "web_markers.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Markers(
        admin=_signs(data["product"]["admin"]),
        password_field=_signs(data["login"]["password_field"]),
        login_location=_signs(data["login"]["location"]),
        php_error=_signs(data["application_error"]["php"]),
        aspnet_error=_signs(data["application_error"]["aspnet"]),
        php_text=_signs(data["handler"]["php_text"]),
        aspnet_text=_signs(data["handler"]["aspnet_text"]),
        block_refusal=_signs(data["block_page"]["refusal"]),
        block_filter=_signs(data["block_page"]["filter"]),
        block_headers=_signs(data["block_page"]["headers"]),
    )


def _signs(expressions: Iterable[str]) -> Signs:
    alternatives = "|".join(f"(?:{expression})" for expression in expressions)
    return Signs(re.compile(alternatives, re.IGNORECASE | re.DOTALL | re.MULTILINE))

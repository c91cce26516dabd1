"""Which handler behind the web server made an answer, as far as the answer gives it away."""

from __future__ import annotations

import re
from typing import Literal

from flexiscan.model.facts import HttpExchange
from flexiscan.policy.web.markers import load_markers

Handler = Literal["php", "aspnet"]

_PHP_COOKIE = "PHPSESSID"
_ASPNET_COOKIES = ("ASP.NET_SessionId", ".ASPXAUTH", ".ASPXROLES")
_PHP_LIMITER_DATE = "Thu, 19 Nov 1981 08:52:00 GMT"
"""Expires value that PHP's session module sends (php.net, session_cache_limiter)."""
_COOKIE_NAME = re.compile(r"^\s*([^=;\s]{1,200})\s*=")
_VARIABLE_SUFFIX = re.compile(r"[0-9a-f]{6,}$|[0-9]+$|(?<=ASPSESSIONID)[A-Z]{8}$")


def cookie_names(exchange: HttpExchange) -> tuple[str, ...]:
    """Names of the cookies that the answer sets, sorted, without the parts that change for each visitor."""
    found = (_COOKIE_NAME.match(value) for value in exchange.header_values("Set-Cookie"))
    return tuple(sorted({_VARIABLE_SUFFIX.sub("#", match[1]) for match in found if match}))


def handlers_of(exchange: HttpExchange) -> frozenset[Handler]:
    """The handlers that took part in making the answer, by signs that only they leave.

    IIS itself adds `X-Powered-By: ASP.NET` to everything, so that line proves nothing about a handler.
    """
    found: set[Handler] = set()
    cookies = cookie_names(exchange)
    markers = load_markers()
    if (
        any("php" in value.lower() for value in exchange.header_values("X-Powered-By"))
        or _PHP_COOKIE in cookies
        or _PHP_LIMITER_DATE in exchange.header_values("Expires")
        or markers.php_text.found_in(exchange.body_text)
        or markers.php_error.found_in(exchange.body_text)
    ):
        found.add("php")
    if (
        exchange.header_values("X-AspNet-Version")
        or exchange.header_values("X-AspNetMvc-Version")
        or any(cookie in cookies for cookie in _ASPNET_COOKIES)
        or markers.aspnet_text.found_in(exchange.body_text)
    ):
        found.add("aspnet")
    return frozenset(found)

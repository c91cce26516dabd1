"""Where a redirect leads, relative to the request that got it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urljoin, urlsplit

from flexiscan.model.facts import HttpExchange

Relation = Literal["", "https", "slash", "below", "same", "other"]

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_META_REFRESH = re.compile(r"""<meta\b[^>]{0,200}http-equiv\s*=\s*["']?refresh[^>]{0,400}""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Destination:
    """One redirect, resolved as a browser would. `port` is explicit; `path` and `query` are as written."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    relative: bool

    @property
    def is_https(self) -> bool:
        """Whether the next request would be encrypted."""
        return self.scheme == "https"


def destination(exchange: HttpExchange) -> Destination | None:
    """Where a 3xx answer with a Location header leads; None when it is no redirect or cannot be read."""
    if exchange.status not in REDIRECT_STATUSES:
        return None
    values = exchange.header_values("Location")
    if not values:
        return None
    base = f"{exchange.scheme}://{exchange.host}{exchange.target if exchange.target.startswith('/') else '/'}"
    try:
        parts = urlsplit(urljoin(base, values[0].strip()))
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        relative = not urlsplit(values[0].strip()).netloc
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return Destination(parts.scheme, parts.hostname.rstrip("."), port, parts.path or "/", parts.query, relative)


def has_refresh(exchange: HttpExchange) -> bool:
    """Whether a page sends the browser elsewhere by markup or a Refresh header instead of a status."""
    return bool(exchange.header_values("Refresh")) or _META_REFRESH.search(exchange.body_text) is not None


def relation(exchange: HttpExchange, names: frozenset[str]) -> Relation:
    """How the redirect's destination lies to the request. `names`: lower-case names and addresses of the host.

    "https": from clear to TLS on the same host; "slash": the same path with a slash added; "below": a page below
    the path that was asked for; "same": elsewhere on the same host; "other": another host; "": no redirect.
    """
    there = destination(exchange)
    if there is None:
        return ""
    if there.host not in names:
        return "other"
    if exchange.scheme == "http" and there.is_https:
        return "https"
    asked = exchange.target.partition("?")[0].rstrip("/").lower()
    path = there.path.lower()
    if asked and path == asked + "/" and not exchange.target.partition("?")[0].endswith("/"):
        return "slash"
    return "below" if asked and path.startswith(asked + "/") else "same"

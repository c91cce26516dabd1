"""Set-Cookie lines as browsers read them (RFC 6265bis section 5.6). Values are never kept: they may be keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SESSION = re.compile(r"sess|sid$|auth|login|logon|ticket|token|^\.aspx", re.IGNORECASE)
"""Names of cookies that stand for a logged-on user: PHPSESSID, ASP.NET_SessionId, .ASPXAUTH, and alike."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie without its value. `same_site` is lower case, empty when not said."""

    name: str
    secure: bool
    http_only: bool
    same_site: str
    domain: str

    @property
    def is_session(self) -> bool:
        """Whether the name says that it stands for a user."""
        return _SESSION.search(self.name) is not None

    def __str__(self) -> str:
        said = [name for name, given in (("Secure", self.secure), ("HttpOnly", self.http_only)) if given]
        said += [f"SameSite={self.same_site}"] if self.same_site else []
        said += [f"Domain={self.domain}"] if self.domain else []
        return "; ".join((self.name, *said))


def read_cookie(line: str) -> Cookie | None:
    """The cookie of one Set-Cookie line; None where no name can be read. The last of repeated attributes counts."""
    first, *rest = line.split(";")
    name, equals, _ = first.partition("=")
    if not equals or not name.strip():
        return None
    attributes = {key.strip().lower(): value.strip() for key, _, value in (part.partition("=") for part in rest)}
    return Cookie(
        name=name.strip(),
        secure="secure" in attributes,
        http_only="httponly" in attributes,
        same_site=attributes.get("samesite", "").lower(),
        domain=attributes.get("domain", "").lower().lstrip("."),
    )

"""What an answer is like, and whether another one is the same within the site's own noise.

No fixed byte tolerance: two answers of the same kind from the same site (its controls) say how far apart two
equal answers lie here; only what is farther away counts as different.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from flexiscan.model.facts import HttpExchange
from flexiscan.policy.web.handlers import Handler, cookie_names, handlers_of
from flexiscan.policy.web.location import destination
from flexiscan.policy.web.markers import load_markers
from flexiscan.policy.web.normalise import title_of, without_echo, words_of

SAME_SIMILARITY = 0.95
"""Two answers are the same from here on when the site has no noise of its own."""
NOISE_MARGIN = 0.05
"""How far below the controls' own similarity an answer may lie and still be like them."""
DOUBT_MARGIN = 0.2
"""An answer that much farther away is no longer the same, but not different enough to accuse anybody."""
SAME_SIZE = 0.98
"""Smallest ratio of two sizes that count as one."""
HARD_TRAITS = frozenset({"location", "password-field"})
"""Traits that a page of one kind does not change by chance."""
LOWEST_FLOOR = 0.6
"""Controls less similar than this among themselves say nothing: the baseline is unstable."""
Likeness = Literal["same", "near", "different"]
_GRADES: tuple[Likeness, ...] = ("same", "near", "different")
_BODY_WEIGHT = 0.85
_SHINGLE_WORDS = 3

# fmt: off
_VOLATILE_HEADERS = frozenset({
    "date", "age", "etag", "last-modified", "content-length", "expires", "set-cookie", "connection",
    "keep-alive", "via", "vary", "transfer-encoding", "content-encoding", "cache-control", "pragma",
    "accept-ranges", "x-cache", "x-cache-hits", "x-request-id", "x-correlation-id", "request-id",
    "x-response-time", "server-timing", "retry-after", "cf-ray", "alt-svc", "x-served-by", "x-timer",
})
"""Headers whose presence changes from answer to answer of one page; their values are not compared either."""
# fmt: on


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """An answer reduced to what stays the same when it is asked for again."""

    status: int | None
    traits: tuple[tuple[str, str], ...]
    """Single values that must agree: server, powered-by, content-type, location, cookies, title, password field."""
    header_names: tuple[str, ...]
    """Lower case, in order, without the volatile ones."""
    shingles: frozenset[tuple[str, ...]]
    """Runs of three words of the body, noise removed."""
    unseen_bytes: int
    """Size of a body of which only the beginning was kept; 0 when the whole of it was compared."""
    handlers: frozenset[Handler]
    """Who made it, where that shows; not compared, read beside the comparison."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the controls of one shape are like, and how much they differ among themselves."""

    members: tuple[Fingerprint, ...]
    floor: float
    """Lowest similarity between two members; 1.0 for a single one."""
    stable_traits: frozenset[str]
    """Names of the traits on which all members agree."""

    @property
    def stable(self) -> bool:
        """Whether the controls are alike enough to compare anything with them."""
        return bool(self.members) and len(self.statuses) == 1 and self.floor >= LOWEST_FLOOR

    @property
    def statuses(self) -> frozenset[int | None]:
        """The status codes of the members."""
        return frozenset(member.status for member in self.members)

    @property
    def handlers(self) -> frozenset[Handler]:
        """Every handler that took part in a member."""
        return frozenset(handler for member in self.members for handler in member.handlers)

    def includes(self, fingerprint: Fingerprint) -> bool:
        """Whether an answer is the same as the controls, within their noise."""
        return self.compare(fingerprint) == "same"

    def compare(self, fingerprint: Fingerprint) -> Likeness:
        """How an answer lies to the controls; the closest member decides."""
        found = {self._likeness(member, fingerprint) for member in self.members}
        return next((grade for grade in _GRADES if grade in found), "different")

    def _likeness(self, member: Fingerprint, other: Fingerprint) -> Likeness:
        if member.status != other.status:
            return "different"
        theirs = dict(other.traits)
        unequal = {name for name, value in member.traits if name in self.stable_traits and theirs[name] != value}
        if unequal & HARD_TRAITS:
            return "different"
        alike = similarity(member, other)
        needed = min(SAME_SIMILARITY, self.floor - NOISE_MARGIN)
        if alike >= needed and not unequal and _sizes_agree(member, other):
            return "same"
        return "near" if alike >= needed - DOUBT_MARGIN else "different"


def fingerprint(exchange: HttpExchange) -> Fingerprint:
    """The fingerprint of one answer; for an exchange without an answer all parts are empty."""
    names = tuple(name.lower() for name, _ in exchange.headers)
    return Fingerprint(
        status=exchange.status,
        traits=_traits(exchange),
        header_names=tuple(name for name in names if name not in _VOLATILE_HEADERS),
        shingles=_shingles(words_of(exchange.body_text, exchange.target)),
        unseen_bytes=exchange.body_size if exchange.body_truncated else 0,
        handlers=handlers_of(exchange),
    )


def similarity(one: Fingerprint, other: Fingerprint) -> float:
    """0.0 (nothing in common) to 1.0: bodies by shared shingles, headers by shared neighbours in order."""
    return _BODY_WEIGHT * _overlap(one.shingles, other.shingles) + (1 - _BODY_WEIGHT) * _overlap(
        frozenset(_neighbours(one.header_names)), frozenset(_neighbours(other.header_names))
    )


def _sizes_agree(one: Fingerprint, other: Fingerprint) -> bool:
    """Long pages may begin alike and go on differently: what was not kept must at least be of one size."""
    smaller, larger = sorted((one.unseen_bytes, other.unseen_bytes))
    return larger == 0 or smaller / larger >= SAME_SIZE


def baseline(fingerprints: Iterable[Fingerprint]) -> Baseline:
    """The noise floor of answers that are known to be of one kind."""
    members = tuple(fingerprints)
    pairs = itertools.combinations(members, 2)
    floor = min((similarity(a, b) for a, b in pairs), default=1.0)
    names = [name for name, _ in members[0].traits] if members else []
    agreed = {name for name in names if len({dict(member.traits)[name] for member in members}) == 1}
    return Baseline(members, floor, frozenset(agreed))


def _traits(exchange: HttpExchange) -> tuple[tuple[str, str], ...]:
    def joined(name: str) -> str:
        return ", ".join(exchange.header_values(name))

    return (
        ("server", joined("Server")),
        ("powered-by", joined("X-Powered-By")),
        ("content-type", joined("Content-Type").replace(" ", "").lower()),
        ("location", _location(exchange)),
        ("cookies", ", ".join(cookie_names(exchange))),
        ("title", " ".join(words_of(title_of(exchange.body_text), exchange.target))),
        ("password-field", str(load_markers().password_field.found_in(exchange.body_text))),
    )


def _location(exchange: HttpExchange) -> str:
    """The destination with the echoed request taken out, so that two missing pages compare as equal."""
    there = destination(exchange)
    if there is None:
        return ", ".join(exchange.header_values("Location"))
    tail = without_echo(there.path + ("?" + there.query if there.query else ""), exchange.target)
    tail = re.sub(r"[0-9a-f]{8,}|[0-9]+", "#", tail.replace("~", "").replace(" ", ""))
    return f"{there.scheme}://{there.host}:{there.port}{tail.rstrip('/')}"


def _shingles(words: Sequence[str]) -> frozenset[tuple[str, ...]]:
    if len(words) <= _SHINGLE_WORDS:
        return frozenset({tuple(words)} if words else ())
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _neighbours(names: Sequence[str]) -> Iterable[tuple[str, str]]:
    return itertools.pairwise(("", *names, ""))


def _overlap(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    if not one and not other:
        return 1.0
    return len(one & other) / len(one | other)

"""parity.web-equal: every address gives the same answers, and keeps the guide equally (guide: checklist 8 and 6).

The web rules themselves are asked about each address; this rule compares what they say, and the status codes of the
pages that were asked for again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.finding import Severity
from flexiscan.policy.parity.at_address import case_at, distinct, published
from flexiscan.policy.rule import Case, Judgement, Need, Outcome, Rule, Seen, the_host
from flexiscan.policy.rules import (
    web_admin,
    web_cookies,
    web_downgrade,
    web_headers,
    web_hsts,
    web_https,
    web_security_headers,
)
from flexiscan.policy.web.channel import ROLES, channels_of

RESULTS: Final[Mapping[str, Outcome]] = {
    "equal": "holds",
    "admin-open-only-on-ipv6": "violated",
    "admin-open-only-on-ipv4": "violated",
    "kept-differently": "violated",
    "answers-differ": "violated",
    "single-address": "not-applicable",
    "not-comparable": "cannot-tell",
}
_COMPARED: Final = (
    web_admin.RULE,
    web_https.HTTPS_ONLY,
    web_https.REDIRECT_SOUND,
    web_downgrade.RULE,
    web_hsts.RULE,
    web_headers.POWERED_BY,
    web_headers.VERSIONS,
    web_cookies.RULE,
    web_security_headers.RULE,
)
_CLEAR_ONLY: Final = frozenset({web_https.HTTPS_ONLY.id, web_https.REDIRECT_SOUND.id})
_BECAUSE_PER_SIDE: Final = 3
_SHOWN_LIMIT: Final = 20
NOT_SERVED: Final = "not-served"
_SAID: Final[Mapping[Outcome, str]] = {"holds": "kept", "violated": "broken"}


@dataclass(frozen=True, slots=True)
class _Side:
    """What one rule, or one page, comes to at one address."""

    address: TargetAddress
    said: str
    because: tuple[Seen, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Difference:
    """The same question, answered differently. `worse`: where the guide is not kept, if that is what differs."""

    about: str
    port: int
    one: _Side
    other: _Side

    @property
    def worse(self) -> _Side | None:
        """The side on which a rule is violated while it holds on the other."""
        violated = [side for side in (self.one, self.other) if side.outcome == "violated"]
        return violated[0] if len(violated) == 1 else None

    @property
    def counts(self) -> bool:
        """Whether something is worse on one side: a rule that says nothing at one address is no difference."""
        if self.one.said == self.other.said or "cannot-tell" in (self.one.outcome, self.other.outcome):
            return False
        return self.worse is not None or self.one.outcome == self.other.outcome

    def __str__(self) -> str:
        sides = ", ".join(f"{side.address.address}: {side.said}" for side in (self.one, self.other))
        return f"{self.about} {self.port} ({sides})"


def judge_web_equal(case: Case) -> Judgement:
    """Is every web rule kept alike at every address, and does every page answer with the same status?"""
    addresses = published(case)
    if len(addresses) < 2:
        return Judgement("not-applicable", "single-address")
    by_rule = tuple(_rule_sides(case, addresses))
    sides = [*by_rule, *_page_sides(case, addresses)]
    pairs = [_Difference(about, port, *pair) for about, port, members in sides for pair in combinations(members, 2)]
    differences = [pair for pair in pairs if pair.counts]
    if differences:
        return _violated(differences)
    because = distinct(seen for _, _, members in sides for side in members for seen in side.because)
    unknown = sorted({about for about, _, members in sides for side in members if side.outcome == "cannot-tell"})
    uneven = any(0 < len(members) < len(addresses) for _, _, members in by_rule)  # served at some addresses alone
    if unknown or uneven or not because:
        return Judgement("cannot-tell", "not-comparable", because, params={"about": unknown})
    return Judgement("holds", "equal", because, params={"compared": len(sides)})


def _rule_sides(case: Case, addresses: Sequence[TargetAddress]) -> Iterable[tuple[str, int, tuple[_Side, ...]]]:
    """Of every rule and port what it comes to; where nothing serves, the rules about ports have their say."""
    for port in dict.fromkeys((case.target.http_port, case.target.https_port)):
        for rule in _COMPARED:
            if rule.id in _CLEAR_ONLY and port != case.target.http_port:
                continue
            members = tuple(_side(rule, case, address, port) for address in addresses)
            yield rule.id, port, tuple(side for side in members if side.said != NOT_SERVED)


def _side(rule: Rule, case: Case, address: TargetAddress, port: int) -> _Side:
    judgement = rule.judge(case_at(case, address.address, port))
    served = judgement.result != "not-served"
    said = _SAID.get(judgement.outcome, judgement.result) if served else NOT_SERVED
    return _Side(address, said, judgement.because[:_BECAUSE_PER_SIDE], judgement.outcome)


def _page_sides(case: Case, addresses: Sequence[TargetAddress]) -> Iterable[tuple[str, int, tuple[_Side, ...]]]:
    """Of every page that was asked for before, during and after the status that it always had.

    A status that changed meanwhile (a server that is busy, a limit) is no status of the page.
    """
    for port in dict.fromkeys((case.target.http_port, case.target.https_port)):
        found: dict[str, list[_Side]] = {}
        for address in addresses:
            for channel in channels_of(case_at(case, address.address, port), port).values():
                for path, phases in channel.canaries().items():
                    answers = [a for members in phases.values() for a in members if a.readable]
                    statuses = {answer.exchange.status for answer in answers}
                    if len(statuses) == 1 and len(answers) > 1:
                        seen = tuple(answer.seen for answer in answers[:_BECAUSE_PER_SIDE])
                        side = _Side(address, str(statuses.pop()), seen, "holds")
                        found.setdefault(f"{channel.name} {path}", []).append(side)
        for about, members in found.items():
            yield about, port, tuple(members)


def _violated(differences: Sequence[_Difference]) -> Judgement:
    ranked = sorted(differences, key=_rank)
    worst = ranked[0]
    because = distinct(s for d in ranked for side in (d.one, d.other) for s in side.because[:1])
    params = {"shown": [str(difference) for difference in ranked[:_SHOWN_LIMIT]], "count": len(ranked)}
    # What holds at one of the addresses rests on an absence there.
    if worst.about == web_admin.RULE.id and worst.worse is not None:
        on_ipv6 = worst.worse.address.family == "ipv6"
        result = "admin-open-only-on-ipv6" if on_ipv6 else "admin-open-only-on-ipv4"
        return Judgement("violated", result, because, "firm", "critical", params, rests_on_absence=True)
    result = "kept-differently" if worst.worse is not None else "answers-differ"
    severity: Severity | None = None if worst.worse is not None and worst.about not in _BEYOND_GUIDE else "medium"
    return Judgement("violated", result, because, "firm", severity, params, rests_on_absence=True)


_BEYOND_GUIDE: Final = frozenset(
    {web_hsts.RULE.id, web_headers.VERSIONS.id, web_cookies.RULE.id, web_security_headers.RULE.id}
)
"""What the guide does not ask for is no worse for being uneven."""


def _rank(difference: _Difference) -> tuple[bool, bool, bool, str, int]:
    """Worst first: /admin, what the guide asks for, everything else."""
    return (
        difference.about != web_admin.RULE.id or difference.worse is None,
        difference.worse is None or difference.about in _BEYOND_GUIDE,
        difference.worse is None,
        difference.about,
        difference.port,
    )


RULE: Final = Rule(
    id="parity.web-equal",
    results=RESULTS,
    needs=(Need("tcp", at="host"), *(Need(role, at="host", optional=True) for role in ROLES)),
    subjects=the_host,
    judge=judge_web_equal,
)

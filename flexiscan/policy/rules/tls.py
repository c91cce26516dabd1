"""tls.*: which versions and ciphers the web server agrees to (guide: checklist 5, Kemp HTTPS)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from flexiscan.model.facts_tls import TlsVersion
from flexiscan.model.finding import Severity
from flexiscan.policy.rule import Case, Judgement, Outcome, Rule, Seen, https_ports
from flexiscan.policy.tls.answers import CONTROL_ROLE, TLS_NEEDS, answers_of, why_unanswered
from flexiscan.policy.tls.refusal import REFUSAL_RESULTS, judge_version
from flexiscan.policy.tls.suite_list import VersionSuites, suites_by_version
from flexiscan.policy.tls.weakness import BROKEN_WITHOUT_DOUBT, is_forward_secret, remarks_of, shown_name, weaknesses_of

MODERN: Final[tuple[TlsVersion, ...]] = ("TLSv1.2", "TLSv1.3")

_OPEN_RESULTS: Final[dict[str, Outcome]] = {
    result: outcome for result, outcome in REFUSAL_RESULTS.items() if outcome not in ("holds", "violated")
}
MODERN_RESULTS: Final[Mapping[str, Outcome]] = {
    **_OPEN_RESULTS,
    "offered": "holds",
    "only-old": "violated",
    # A declared HTTPS port that talks HTTP in clear has no encryption at all.
    "plain-http": "violated",
}
TLS13_RESULTS: Final[Mapping[str, Outcome]] = {**_OPEN_RESULTS, "offered": "holds", "not-offered": "violated"}
SECRECY_RESULTS: Final[Mapping[str, Outcome]] = {
    **_OPEN_RESULTS,
    "always": "holds",
    "not-always": "violated",
    "never": "violated",
}
CIPHER_RESULTS: Final[Mapping[str, Outcome]] = {**_OPEN_RESULTS, "strong": "holds", "weak-offered": "violated"}


def judge_modern_offered(case: Case) -> Judgement:
    """Whether TLS 1.2 or 1.3 is agreed on."""
    judgements = {version: judge_version(case, version) for version in MODERN}
    offered = [version for version in MODERN if judgements[version].result == "offered"]
    if offered:
        because = tuple(seen for version in offered for seen in judgements[version].because)
        return Judgement("holds", "offered", because, "confirmed", params={"versions": offered})
    unanswered = why_unanswered(answers_of(case, CONTROL_ROLE))
    if unanswered is not None and unanswered.result == "plain-http":
        return Judgement("violated", "plain-http", unanswered.because, "confirmed")
    return _absent(judgements.values(), "only-old")


def judge_tls13_offered(case: Case) -> Judgement:
    """Whether TLS 1.3 is agreed on."""
    judgement = judge_version(case, "TLSv1.3")
    if judgement.result == "offered":
        return Judgement("holds", "offered", judgement.because, "confirmed")
    return _absent([judgement], "not-offered")


def _absent(judgements: Iterable[Judgement], result: str) -> Judgement:
    """`violated` when everything was refused, otherwise what keeps that from being known."""
    judged = list(judgements)
    for judgement in judged:
        if judgement.outcome != "holds":
            return judgement
    because = tuple(seen for judgement in judged for seen in judgement.because)
    return Judgement("violated", result, because, rests_on_absence=True)


def judge_ciphers(case: Case) -> Judgement:
    """No weak suite in any version. A single one that was agreed on is enough; none needs complete lists."""
    lists = suites_by_version(case)
    weak = _collect(lists, weaknesses_of)
    if weak:
        return _weak_offered(lists, weak)
    return _known_of_all(case, lists, "strong", {"noted": _collect(lists, remarks_of)})


def judge_forward_secrecy(case: Case) -> Judgement:
    """Does every suite that is agreed to give each connection keys of its own (RFC 9325, 4.1)?"""
    lists = suites_by_version(case)
    agreed = [(entry.version, suite, answer) for entry in lists for suite, answer in entry.agreed.items()]
    without = [row for row in agreed if not is_forward_secret(row[1], row[0])]
    if without:
        only = len(without) == len(agreed)
        seen = {answer.seen.id: answer.seen for _, _, answer in without}
        params = {"suites": list(dict.fromkeys(shown_name(suite, version) for version, suite, _ in without))}
        result = "never" if only and not any(entry.open_reason for entry in lists) else "not-always"
        severity: Severity | None = "medium" if result == "never" else None
        return Judgement("violated", result, tuple(seen.values()), "confirmed", severity, params)
    return _known_of_all(case, lists, "always", {})


def _known_of_all(case: Case, lists: tuple[VersionSuites, ...], held: str, params: Mapping[str, Any]) -> Judgement:
    """`held`, where the lists of all versions are complete."""
    unanswered = why_unanswered(answers_of(case, CONTROL_ROLE))
    if unanswered is not None:
        return unanswered
    for entry in lists:
        if entry.open_reason:
            because = tuple(answer.seen for answer in entry.hellos) or case.of(CONTROL_ROLE)
            return Judgement("cannot-tell", entry.open_reason, because, params={"version": entry.version})
    because = tuple(answer.seen for entry in lists for answer in entry.hellos)
    return Judgement("holds", held, because, params=params)


def _weak_offered(lists: tuple[VersionSuites, ...], weak: dict[str, list[str]]) -> Judgement:
    because: dict[str, Seen] = {}
    versions: list[TlsVersion] = []
    names: list[str] = []
    for entry in lists:
        for suite, answer in entry.agreed.items():
            if weaknesses_of(suite, entry.version):
                because.setdefault(answer.seen.id, answer.seen)
                versions.append(entry.version)
                names.append(shown_name(suite, entry.version))
    severity: Severity | None = None if BROKEN_WITHOUT_DOUBT & weak.keys() else "medium"
    params: dict[str, Any] = {
        "suites": list(dict.fromkeys(names)),
        "versions": list(dict.fromkeys(versions)),
        "why": weak,
        "complete": not any(entry.open_reason for entry in lists),
    }
    return Judgement("violated", "weak-offered", tuple(because.values()), "confirmed", severity, params)


def _collect(
    lists: tuple[VersionSuites, ...], signs: Callable[[int, TlsVersion], frozenset[str]]
) -> dict[str, list[str]]:
    """Sign to the names of the agreed suites that have it."""
    found: dict[str, dict[str, None]] = {}
    for entry in lists:
        for suite in entry.agreed:
            for sign in signs(suite, entry.version):
                found.setdefault(sign, {})[shown_name(suite, entry.version)] = None
    return {sign: list(names) for sign, names in sorted(found.items())}


def _refused(rule_id: str, version: TlsVersion) -> Rule:
    def judge(case: Case) -> Judgement:
        return judge_version(case, version)

    return Rule(rule_id, REFUSAL_RESULTS, TLS_NEEDS, https_ports, judge)


RULES: tuple[Rule, ...] = (
    _refused("tls.sslv2-refused", "SSLv2"),
    _refused("tls.sslv3-refused", "SSLv3"),
    _refused("tls.tls10-refused", "TLSv1.0"),
    _refused("tls.tls11-refused", "TLSv1.1"),
    # Both rest on an agreement that was seen; a `violated` for want of one asks for the controls by itself.
    Rule(
        "tls.modern-offered",
        MODERN_RESULTS,
        TLS_NEEDS,
        https_ports,
        judge_modern_offered,
        relies_on_controls=False,
    ),
    Rule(
        "tls.tls13-offered",
        TLS13_RESULTS,
        TLS_NEEDS,
        https_ports,
        judge_tls13_offered,
        relies_on_controls=False,
    ),
    Rule("tls.ciphers-strong", CIPHER_RESULTS, TLS_NEEDS, https_ports, judge_ciphers),
    Rule("tls.forward-secrecy", SECRECY_RESULTS, TLS_NEEDS, https_ports, judge_forward_secrecy),
)

"""cert.*: the certificates of the web server (guide: checklist 5, "Valid Web SSL certificate").

A port may show several chains (one for RSA, one for ECDSA). Each must be in order: the worst one decides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from flexiscan.policy.cert.anchors import read_anchors
from flexiscan.policy.cert.certificate import Certificate
from flexiscan.policy.cert.chains import OPEN_RESULTS, Chain, chains_of
from flexiscan.policy.cert.path import SearchTooLong, search_paths
from flexiscan.policy.cert.server_name import as_address, covers_host
from flexiscan.policy.cert.signature import WEAK_HASHES, is_issued_by
from flexiscan.policy.cert.trust import TRUST_RESULTS, judge_trust
from flexiscan.policy.rule import Case, Judgement, Outcome, Rule, https_ports
from flexiscan.policy.tls.answers import HELLO_NEEDS

MIN_RSA_BITS: Final = 2048
"""NIST SP 800-131A, CA/Browser Forum Baseline Requirements 6.1.5."""
MIN_EC_BITS: Final = 256
MIN_RSA_EXPONENT: Final = 3
RENEWAL_DUE_DAYS: Final = 30
RENEWAL_DUE_SHARE: Final = 0.25
"""Of the lifetime: certificates of 47 or 90 days are renewed by a program, and later."""

_ORDER: Final[Mapping[Outcome, int]] = {"violated": 0, "cannot-tell": 1, "not-applicable": 2, "holds": 3}

TRUSTED_RESULTS: Final[Mapping[str, Outcome]] = {
    **OPEN_RESULTS,
    **TRUST_RESULTS,
    # A declared HTTPS port without TLS has no certificate at all.
    "plain-http": "violated",
    "trust-store-unreadable": "cannot-tell",
}
NAME_RESULTS: Final[Mapping[str, Outcome]] = {
    **OPEN_RESULTS,
    "matches": "holds",
    "wrong-name": "violated",
    "only-common-name": "violated",
}
VALIDITY_RESULTS: Final[Mapping[str, Outcome]] = {
    **OPEN_RESULTS,
    "in-validity": "holds",
    "expired": "violated",
    "not-yet-valid": "violated",
}
KEY_RESULTS: Final[Mapping[str, Outcome]] = {
    **OPEN_RESULTS,
    "strong": "holds",
    "weak-key": "violated",
    "unknown-key": "cannot-tell",
}
SIGNATURE_RESULTS: Final[Mapping[str, Outcome]] = {
    **OPEN_RESULTS,
    "strong": "holds",
    "weak-signature": "violated",
}
RENEWAL_RESULTS: Final[Mapping[str, Outcome]] = {
    **OPEN_RESULTS,
    "time-left": "holds",
    "renewal-due": "violated",
    "expired": "violated",
}

CHAIN_RESULTS: Final[Mapping[str, Outcome]] = {
    **OPEN_RESULTS,
    "complete": "holds",
    "incomplete": "violated",
    "wrong-order": "violated",
    "not-trusted": "not-applicable",
    "too-many-paths": "cannot-tell",
    "trust-store-unreadable": "cannot-tell",
}

Verdict = tuple[str, dict[str, Any]]
JudgeChain = Callable[[Chain, Case], Verdict]


def judge_trusted(chain: Chain, case: Case) -> Verdict:
    """Does the chain lead to a trust anchor?"""
    pem, store = case.options.get("trust_anchors_pem", ""), case.options.get("trust_store", "")
    anchors = read_anchors(pem)
    if not anchors.by_subject:
        return "trust-store-unreadable", {"trust_store": store}
    result, params = judge_trust(chain.certificates, anchors, _now(case))
    return result, {**params, "trust_store": store}


def judge_chain(chain: Chain, case: Case) -> Verdict:
    """Does the server send every certificate between its own and a trust anchor, each after the one it vouches for?

    The order is RFC 5246 7.4.2; clients of TLS 1.3 have to put up with any, older ones need not.
    """
    anchors = read_anchors(case.options.get("trust_anchors_pem", ""))
    if not anchors.by_subject:
        return "trust-store-unreadable", {"trust_store": case.options.get("trust_store", "")}
    sent = chain.certificates
    try:
        search = search_paths(sent, anchors, _now(case))
    except SearchTooLong:
        return "too-many-paths", {}
    if search.sound is None:
        result, params = judge_trust(sent, anchors, _now(case))
        return ("incomplete", params) if result == "chain-incomplete" else ("not-trusted", {**params, "cause": result})
    needed = [certificate.der for certificate in search.sound[:-1]]
    places = [place for place, certificate in enumerate(sent) if certificate.der in needed]
    extra = [c.subject for c in sent if c.der not in needed]
    params = {"sent": [c.subject for c in sent], "path": [c.subject for c in search.sound]}
    params |= {"extra": extra} if extra else {}
    in_order = [sent[place].der for place in places] == needed
    return ("complete" if in_order else "wrong-order"), params


def judge_hostname(chain: Chain, case: Case) -> Verdict:
    """Is the certificate made out for the name (or address) that was asked about?"""
    leaf, host = chain.leaf, case.target.host
    names = [*leaf.dns_names, *(str(address) for address in leaf.ip_addresses)]
    params: dict[str, Any] = {"host": host, "names": names}
    if covers_host(leaf, host):
        wildcard = as_address(host) is None and host.rstrip(".").lower() not in (n.lower() for n in leaf.dns_names)
        return "matches", {**params, "wildcard": wildcard}
    if not leaf.has_alternative_names:
        return "only-common-name", {**params, "common_name": leaf.common_name}
    return "wrong-name", params


def judge_validity(chain: Chain, case: Case) -> Verdict:
    """Does the end of the scan lie within the dates?"""
    leaf, now = chain.leaf, _now(case)
    params = _dates(leaf, now)
    if now > leaf.not_after:
        return "expired", params
    return ("not-yet-valid" if now < leaf.not_before else "in-validity"), params


def judge_renewal(chain: Chain, case: Case) -> Verdict:
    """Is there time left before the certificate expires?"""
    leaf, now = chain.leaf, _now(case)
    due_days = min(RENEWAL_DUE_DAYS, RENEWAL_DUE_SHARE * (leaf.not_after - leaf.not_before).days)
    params = {**_dates(leaf, now), "due_days": round(due_days)}
    if now > leaf.not_after:
        return "expired", params
    return ("renewal-due" if leaf.not_after - now < dt.timedelta(days=due_days) else "time-left"), params


def judge_key(chain: Chain, case: Case) -> Verdict:
    """Are the keys of the server's certificate and of the intermediates sent with it long enough?"""
    for certificate in _below_anchors(chain):
        key = certificate.key
        params = {"subject": certificate.subject, "key": key.kind, "bits": key.bits}
        if key.kind == "other":
            return "unknown-key", params
        if _is_weak(certificate):
            return "weak-key", params
    leaf = chain.leaf
    return "strong", {"subject": leaf.subject, "key": leaf.key.kind, "bits": leaf.key.bits}


def judge_signature(chain: Chain, case: Case) -> Verdict:
    """Is everything below the roots signed with a hash that nobody can forge?"""
    for certificate in _below_anchors(chain):
        if certificate.signature_hash in WEAK_HASHES:
            return "weak-signature", {"subject": certificate.subject, "hash": certificate.signature_hash}
    return "strong", {"subject": chain.leaf.subject, "hash": chain.leaf.signature_hash}


def _is_weak(certificate: Certificate) -> bool:
    key = certificate.key
    if key.kind == "RSA":
        return key.bits < MIN_RSA_BITS or key.exponent < MIN_RSA_EXPONENT
    return key.kind == "DSA" or (key.kind == "EC" and key.bits < MIN_EC_BITS)


def _below_anchors(chain: Chain) -> list[Certificate]:
    """The leaf and the intermediates; a root's own signature protects nothing, and its key is not the server's."""
    roots = {c.der for c in chain.certificates[1:] if is_issued_by(c, c)}
    return [certificate for certificate in chain.certificates if certificate.der not in roots]


def _dates(leaf: Certificate, now: dt.datetime) -> dict[str, Any]:
    return {
        "subject": leaf.subject,
        "not_before": leaf.not_before.isoformat(),
        "not_after": leaf.not_after.isoformat(),
        "days_left": int((leaf.not_after - now) / dt.timedelta(days=1)),
    }


def _now(case: Case) -> dt.datetime:
    return dt.datetime.fromtimestamp(case.now_s, tz=dt.UTC)


def _rule(rule_id: str, results: Mapping[str, Outcome], judge_chain: JudgeChain) -> Rule:
    def judge(case: Case) -> Judgement:
        chains = chains_of(case)
        if isinstance(chains, Judgement):
            return Judgement(results[chains.result], chains.result, chains.because)
        return _worst(_judge_each(chains, case, results, judge_chain))

    # Rests on certificates that were received, never on an absence.
    return Rule(rule_id, results, HELLO_NEEDS, https_ports, judge, relies_on_controls=False)


def _judge_each(
    chains: Iterable[Chain], case: Case, results: Mapping[str, Outcome], judge_chain: JudgeChain
) -> list[Judgement]:
    judgements: list[Judgement] = []
    for chain in chains:
        result, params = judge_chain(chain, case)
        params = {**params, "sha256": chain.leaf.sha256}
        judgements.append(Judgement(results[result], result, chain.seen, "confirmed", params=params))
    return judgements


def _worst(judgements: list[Judgement]) -> Judgement:
    return min(judgements, key=lambda judgement: _ORDER[judgement.outcome])


RULES: tuple[Rule, ...] = (
    _rule("cert.trusted", TRUSTED_RESULTS, judge_trusted),
    _rule("cert.hostname-matches", NAME_RESULTS, judge_hostname),
    _rule("cert.in-validity", VALIDITY_RESULTS, judge_validity),
    _rule("cert.renewal-due", RENEWAL_RESULTS, judge_renewal),
    _rule("cert.key-strong", KEY_RESULTS, judge_key),
    _rule("cert.signature-strong", SIGNATURE_RESULTS, judge_signature),
    _rule("cert.chain-complete", CHAIN_RESULTS, judge_chain),
)

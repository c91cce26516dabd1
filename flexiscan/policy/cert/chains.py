"""The certificate chains that a port showed, whatever kind of handshake brought them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flexiscan.model.facts_tls import CertificateChain, TlsReply
from flexiscan.policy.cert.certificate import Certificate, read_certificate
from flexiscan.policy.rule import Case, Judgement, Outcome, Seen
from flexiscan.policy.tls.answers import CONTROL_ROLE, HELLO_NEEDS, UNANSWERED, answers_of, why_unanswered

OPEN_RESULTS: Final[Mapping[str, Outcome]] = {
    **UNANSWERED,
    "no-certificate": "cannot-tell",
    "unreadable": "cannot-tell",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain as sent, leaf first, and the observations that showed it."""

    certificates: tuple[Certificate, ...]
    seen: tuple[Seen, ...]

    @property
    def leaf(self) -> Certificate:
        """The server's own certificate."""
        return self.certificates[0]


def chains_of(case: Case) -> tuple[Chain, ...] | Judgement:
    """Every different chain of the port; a judgement instead when there is none, or one that cannot be read."""
    found: dict[tuple[str, ...], list[Seen]] = {}
    for need in HELLO_NEEDS:
        for seen in case.of(need.role):
            if isinstance(seen.fact, TlsReply | CertificateChain) and seen.fact.chain_der_b64:
                found.setdefault(seen.fact.chain_der_b64, []).append(seen)
    if not found:
        controls = answers_of(case, CONTROL_ROLE)
        unanswered = why_unanswered(controls)
        return unanswered or Judgement("cannot-tell", "no-certificate", tuple(c.seen for c in controls))
    chains: list[Chain] = []
    for encoded, shown in found.items():
        certificates = [read_certificate(_decode(text)) for text in encoded]
        if certificates[0] is None:
            return Judgement("cannot-tell", "unreadable", tuple(shown))
        chains.append(Chain(tuple(c for c in certificates if c is not None), tuple(shown)))
    return tuple(chains)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""

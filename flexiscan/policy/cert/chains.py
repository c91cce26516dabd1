"""The certificate chains that a port showed, whatever kind of handshake brought them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flexiscan.model.facts_tls import CertificateChain, TlsReply
from flexiscan.model.tls_reading import TLS_VERSIONS
from flexiscan.policy.cert.certificate import Certificate, read_certificate
from flexiscan.policy.rule import Case, Judgement, Need, Outcome, Seen
from flexiscan.policy.tls.answers import CONTROL_ROLE, UNANSWERED, answers_of, role_of, why_unanswered

CERTIFICATE_ROLE: Final = "tls-certificate"

CHAIN_NEEDS: Final = (
    Need(CONTROL_ROLE),
    Need(CERTIFICATE_ROLE, optional=True),
    *(Need(role_of(version), optional=True) for version in TLS_VERSIONS if version not in ("SSLv2", "TLSv1.3")),
)
"""TLS 1.3 encrypts certificates, so a hello brings none; SSL 2.0 ones are those of another age."""

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
    for need in CHAIN_NEEDS:
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

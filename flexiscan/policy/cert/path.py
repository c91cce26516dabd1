"""Builds a path from a server's certificate to a trust anchor and says what is wrong with it.

Own path building, because the verdict needs the cause and because the library's verifier holds private authorities to
rules that clients do not (it wants an authority key identifier, for one). Checked in the tests against
`openssl verify`. Sources: RFC 5280 6.1, RFC 4158 (building). The dates of the server's certificate itself are
another rule's matter, so the path is judged at a moment within them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from flexiscan.policy.cert.anchors import TrustAnchors
from flexiscan.policy.cert.certificate import Certificate
from flexiscan.policy.cert.constraints import breaks_constraints
from flexiscan.policy.cert.signature import WEAK_HASHES, is_issued_by

MAX_DEPTH: Final = 10
"""Certificates in a path; OpenSSL stops later, honest paths end at five."""
MAX_CHECKS: Final = 400
"""Signature checks in all: a server may send many certificates of one name to make us search for ever."""

_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    }
)
"""May be critical. Policies are read by no web client, so they decide nothing."""


class SearchTooLong(Exception):
    """The chain offers more ways than are worth trying."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a path, and with which certificate of it."""

    cause: str
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class PathSearch:
    """All paths found, each with its first flaw (None: sound). No path at all: `top` is how far the chain leads."""

    paths: tuple[tuple[tuple[Certificate, ...], Flaw | None], ...]
    top: Certificate

    @property
    def sound(self) -> tuple[Certificate, ...] | None:
        """A path without a flaw."""
        return next((path for path, flaw in self.paths if flaw is None), None)


def search_paths(chain: tuple[Certificate, ...], anchors: TrustAnchors, now: dt.datetime) -> PathSearch:
    """Search from the first certificate of a chain, in whatever order the rest was sent. Raises SearchTooLong."""
    leaf = chain[0]
    moment = min(max(now, leaf.not_before), leaf.not_after)
    builder = _Builder(chain[1:], anchors)
    found: list[tuple[tuple[Certificate, ...], Flaw | None]] = []
    for path in builder.paths((leaf,)):
        flaw = flaw_of(path, moment)
        found.append((path, flaw))
        if flaw is None:
            break
    return PathSearch(tuple(found), builder.top or leaf)


class _Builder:
    """Depth-first search for issuers, anchors before the certificates that the server sent."""

    def __init__(self, sent: tuple[Certificate, ...], anchors: TrustAnchors) -> None:
        self._sent = tuple({certificate.der: certificate for certificate in sent}.values())
        self._anchors = anchors
        self._checks = 0
        self._deepest = 0
        self.top: Certificate | None = None

    def paths(self, path: tuple[Certificate, ...]) -> Iterator[tuple[Certificate, ...]]:
        """Every way from the end of `path` to an anchor."""
        end = path[-1]
        if len(path) > self._deepest:
            self._deepest, self.top = len(path), end
        anchors = self._anchors.same_as(end)
        if len(path) == 1:
            anchors = tuple(anchor for anchor in anchors if anchor.der == end.der)
        if anchors:
            # The anchor's own dates count, not those of a copy or a cross certificate that the server sent.
            yield from ((*path[:-1], anchor) for anchor in anchors)
            return
        if len(path) >= MAX_DEPTH:
            return
        used = {certificate.der for certificate in path}
        for issuer in (*self._anchors.named(end.issuer_key), *self._sent):
            if issuer.der not in used and self._issued(end, issuer):
                yield from self.paths((*path, issuer))

    def _issued(self, certificate: Certificate, issuer: Certificate) -> bool:
        if certificate.issuer_key != issuer.subject_key:
            return False
        self._checks += 1
        if self._checks > MAX_CHECKS:
            raise SearchTooLong
        return is_issued_by(certificate, issuer)


def flaw_of(path: tuple[Certificate, ...], moment: dt.datetime) -> Flaw | None:
    """The first thing that keeps a path (leaf first, anchor last) from being sound."""
    for certificate in path:
        if not _fit_for_servers(certificate):
            return Flaw("not-for-servers", certificate)
        if _unknown_critical(certificate):
            return Flaw("unknown-critical-extension", certificate)
    for certificate in path[:-1]:
        if certificate.signature_hash in WEAK_HASHES:
            return Flaw("weak-signature", certificate)
    for position, authority in enumerate(path[1:], start=1):
        below = path[:position]
        cause = _flaw_of_authority(authority, below, moment, is_anchor=position == len(path) - 1)
        if cause:
            return Flaw(cause, authority)
    return None


def _flaw_of_authority(
    authority: Certificate, below: tuple[Certificate, ...], moment: dt.datetime, *, is_anchor: bool
) -> str:
    if not _may_issue(authority, below, is_anchor=is_anchor):
        return "not-an-authority"
    if moment > authority.not_after:
        return "authority-expired"
    if moment < authority.not_before:
        return "authority-not-yet-valid"
    constrained = (below[0], *(certificate for certificate in below[1:] if not certificate.self_issued))
    if any(breaks_constraints(certificate, authority) for certificate in constrained):
        return "name-not-permitted"
    return ""


def _may_issue(authority: Certificate, below: tuple[Certificate, ...], *, is_anchor: bool) -> bool:
    """Basic constraints, path length and key usage (RFC 5280 6.1.4 k to n). Old roots of version 1 have none."""
    try:
        basic = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return is_anchor and authority.parsed.version is x509.Version.v1
    intermediates = sum(1 for certificate in below[1:] if not certificate.self_issued)
    if not basic.ca or (basic.path_length is not None and intermediates > basic.path_length):
        return False
    try:
        usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.key_cert_sign


def _fit_for_servers(certificate: Certificate) -> bool:
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    # "Any purpose" is no server purpose to OpenSSL, while others let it count: such a path is not called sound.
    return ExtendedKeyUsageOID.SERVER_AUTH in purposes


def _unknown_critical(certificate: Certificate) -> bool:
    return any(e.critical and e.oid not in _UNDERSTOOD for e in certificate.extensions)

"""The certificates that trust starts from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from flexiscan.policy.cert.certificate import Certificate, NameKey, read_certificate

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """Anchors by their subject name."""

    by_subject: Mapping[NameKey, tuple[Certificate, ...]]
    organisations: frozenset[str]
    """Organisations that have an anchor: an issuer of theirs that is not known is most likely an intermediate."""

    def named(self, subject: NameKey) -> tuple[Certificate, ...]:
        """Anchors with this subject name."""
        return self.by_subject.get(subject, ())

    def same_as(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """Anchors with the name and the key of a certificate, itself among them when it is one."""
        return tuple(a for a in self.named(certificate.subject_key) if a.spki and a.spki == certificate.spki)


@lru_cache(maxsize=8)
def read_anchors(pem: str) -> TrustAnchors:
    """All certificates of a PEM bundle that can be read; text around them is ignored."""
    found: dict[NameKey, list[Certificate]] = {}
    organisations: set[str] = set()
    for block in pem.split(_BEGIN)[1:]:
        body, end, _ = block.partition(_END)
        certificate = read_certificate(_decode(body)) if end else None
        if certificate is not None:
            found.setdefault(certificate.subject_key, []).append(certificate)
            organisations.update(filter(None, [certificate.organisation]))
    return TrustAnchors({name: tuple(group) for name, group in found.items()}, frozenset(organisations))


def _decode(body: str) -> bytes:
    """Base64 without the white space; empty when it is none."""

    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""

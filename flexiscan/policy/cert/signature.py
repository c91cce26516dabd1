"""Whether one certificate was signed with the key of another, old hashes included."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from flexiscan.policy.cert.certificate import Certificate

WEAK_HASHES: Final = frozenset({"md2", "md4", "md5", "sha1"})
"""Forged in practice: MD5 2008 (a rogue authority), SHA-1 2017 and 2020 (chosen prefix)."""


def is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether names and signature say that `issuer` issued `certificate`. Rights to issue are not looked at.

    The library's own check is not used: it refuses to look at MD5 and SHA-1, and compares names byte by byte.
    """
    if certificate.issuer_key != issuer.subject_key:
        return False
    try:
        _verify(certificate, issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _verify(certificate: Certificate, issuer: Certificate) -> None:
    """Raises InvalidSignature, or ValueError, TypeError or UnsupportedAlgorithm for what cannot be checked."""
    signature, signed = certificate.parsed.signature, certificate.parsed.tbs_certificate_bytes
    key, algorithm = issuer.parsed.public_key(), certificate.parsed.signature_hash_algorithm
    # The library knows no parameters for MD5 with RSA, which can only be PKCS #1 v1.5 (RFC 8017 A.2.4).
    scheme = certificate.parsed.signature_algorithm_parameters or padding.PKCS1v15()
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey) and algorithm is None:
        key.verify(signature, signed)
    elif algorithm is None:
        raise ValueError("a signature without a hash from another kind of key")
    elif isinstance(key, rsa.RSAPublicKey) and isinstance(scheme, padding.PKCS1v15 | padding.PSS):
        key.verify(signature, signed, scheme, algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(scheme, ec.ECDSA):
        key.verify(signature, signed, scheme)
    elif isinstance(key, dsa.DSAPublicKey):
        key.verify(signature, signed, algorithm)
    else:
        raise ValueError("key and signature are of different kinds")

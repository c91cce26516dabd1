"""One certificate, read once: the fields that the rules need, taken out of hostile bytes.

Reading never raises: a certificate that cannot be read in full is None. Sources: RFC 5280, RFC 6125.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

NameKey = tuple[frozenset[tuple[str, str]], ...]
"""A name for comparison: without case, string type and superfluous spaces (RFC 5280 7.1, as OpenSSL does it)."""
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
KeyKind = Literal["RSA", "EC", "Ed25519", "Ed448", "DSA", "other"]


@dataclass(frozen=True, slots=True)
class Key:
    """A public key in figures. `exponent` is RSA's, otherwise 0."""

    kind: KeyKind
    bits: int
    exponent: int = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the rules look at. `subject` and `issuer` are RFC 4514 strings, for people; names compare by key."""

    der: bytes
    parsed: x509.Certificate
    subject: str
    issuer: str
    subject_key: NameKey
    issuer_key: NameKey
    spki: bytes
    key: Key
    not_before: dt.datetime
    not_after: dt.datetime
    signature_hash: str | None
    """Lower-case name; None where the scheme has none (EdDSA) or it is not known."""
    extensions: x509.Extensions
    dns_names: tuple[str, ...]
    ip_addresses: tuple[IpAddress, ...]
    has_alternative_names: bool
    common_name: str | None

    @property
    def sha256(self) -> str:
        """Fingerprint."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are one name (RFC 5280 3.2)."""
        return self.subject_key == self.issuer_key

    @property
    def issuer_organisation(self) -> str | None:
        """Organisation in the issuer's name."""
        return _attribute(self.parsed.issuer, NameOID.ORGANIZATION_NAME)

    @property
    def organisation(self) -> str | None:
        """Organisation in the subject's name."""
        return _attribute(self.parsed.subject, NameOID.ORGANIZATION_NAME)

    def valid_at(self, moment: dt.datetime) -> bool:
        """Whether the moment lies within the dates, both included (RFC 5280 4.1.2.5)."""
        return self.not_before <= moment <= self.not_after


@lru_cache(maxsize=1024)
def read_certificate(der: bytes) -> Certificate | None:
    """The certificate, or None when a part of it cannot be read."""
    try:
        with warnings.catch_warnings():
            # Odd serial numbers and the like, which the library will refuse one day; they decide nothing here.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return _read(der)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.UnsupportedGeneralNameType, x509.DuplicateExtension):
        return None


def _read(der: bytes) -> Certificate:
    parsed = x509.load_der_x509_certificate(der)
    extensions = parsed.extensions
    names = _alternative_names(extensions)
    return Certificate(
        der=der,
        parsed=parsed,
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        subject_key=_name_key(parsed.subject),
        issuer_key=_name_key(parsed.issuer),
        spki=_public_key_bytes(parsed),
        key=_key_of(parsed),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        signature_hash=_signature_hash(parsed),
        extensions=extensions,
        dns_names=tuple(names.get_values_for_type(x509.DNSName)) if names else (),
        ip_addresses=_addresses(names),
        has_alternative_names=names is not None,
        common_name=_attribute(parsed.subject, NameOID.COMMON_NAME),
    )


def _alternative_names(extensions: x509.Extensions) -> x509.SubjectAlternativeName | None:
    try:
        return extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _addresses(names: x509.SubjectAlternativeName | None) -> tuple[IpAddress, ...]:
    values = names.get_values_for_type(x509.IPAddress) if names else []
    return tuple(value for value in values if isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address))


def _public_key_bytes(parsed: x509.Certificate) -> bytes:
    try:
        key = parsed.public_key()
    except UnsupportedAlgorithm:
        return b""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_of(parsed: x509.Certificate) -> Key:
    try:
        key = parsed.public_key()
    except UnsupportedAlgorithm:
        return Key("other", 0)
    match key:
        case rsa.RSAPublicKey():
            return Key("RSA", key.key_size, key.public_numbers().e)
        case ec.EllipticCurvePublicKey():
            return Key("EC", key.key_size)
        case ed25519.Ed25519PublicKey():
            return Key("Ed25519", 256)
        case ed448.Ed448PublicKey():
            return Key("Ed448", 456)
        case dsa.DSAPublicKey():
            return Key("DSA", key.key_size)
    return Key("other", 0)


def _signature_hash(parsed: x509.Certificate) -> str | None:
    try:
        algorithm = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return None if algorithm is None else algorithm.name


def _name_key(name: x509.Name) -> NameKey:
    return tuple(
        frozenset((attribute.oid.dotted_string, _folded(attribute.value)) for attribute in rdn) for rdn in name.rdns
    )


def _folded(value: str | bytes) -> str:
    return " ".join((value if isinstance(value, str) else value.hex()).casefold().split())


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    values = name.get_attributes_for_oid(oid)
    if not values:
        return None
    value = values[-1].value
    return value if isinstance(value, str) else value.decode("latin-1")

"""Certificate chains of every kind, made once for the tests: keys are reused, dates hang on one fixed moment."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

NOW = dt.datetime(2026, 11, 2, 12, 0, tzinfo=dt.UTC)
HOST = "flexi.example.test"
UNKNOWN_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.99999.1")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def key(name: str, kind: str = "ec") -> PrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return ec.generate_private_key({"ec": ec.SECP256R1(), "ec224": ec.SECP224R1()}[kind])


def name(common_name: str, organisation: str = "Test", string_type: Any = None) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name, string_type),
        ]
    )


@dataclass
class Issued:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


@dataclass
class Wish:
    """What a certificate is to be; everything unsaid is ordinary."""

    subject: x509.Name
    key_name: str
    key_kind: str = "ec"
    ca: bool | None = False
    """None: no basic constraints at all."""
    path_length: int | None = None
    starts_days: float = -100
    ends_days: float = 200
    dns: Sequence[str] = ()
    ips: Sequence[str] = ()
    purposes: Sequence[ObjectIdentifier] | None = None
    may_sign: bool | None = None
    """Key usage; None: no such extension."""
    permitted: Iterable[x509.GeneralName] = ()
    excluded: Iterable[x509.GeneralName] = ()
    identifiers: bool = True
    critical_unknown: bool = False
    pss: bool = False


def issue(wish: Wish, issuer: Issued | None = None, issuer_name: x509.Name | None = None) -> Issued:
    """Make a certificate; without an issuer it signs itself."""
    own = key(wish.key_name, wish.key_kind)
    signer = issuer.key if issuer else own
    builder = x509.CertificateBuilder(
        subject_name=wish.subject,
        issuer_name=issuer_name or (issuer.certificate.subject if issuer else wish.subject),
        public_key=own.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=NOW + dt.timedelta(days=wish.starts_days),
        not_valid_after=NOW + dt.timedelta(days=wish.ends_days),
    )
    for extension, critical in _extensions(wish, own, signer):
        builder = builder.add_extension(extension, critical=critical)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH) if wish.pss else None
    return Issued(builder.sign(signer, digest, rsa_padding=scheme), own)


# DER of the object identifiers of RSA signatures with PKCS #1 v1.5 (RFC 8017 appendix C): the last byte differs.
_WITH_SHA256 = bytes.fromhex("06092a864886f70d01010b")
_OLD_SIGNATURES: dict[str, tuple[bytes, hashes.HashAlgorithm]] = {
    "sha1": (bytes.fromhex("06092a864886f70d010105"), hashes.SHA1()),  # noqa: S303
    "md5": (bytes.fromhex("06092a864886f70d010104"), hashes.MD5()),  # noqa: S303
}


def sign_again(issued: Issued, signer: Issued, digest: str) -> Issued:
    """The same certificate under an old signature, which the library no longer writes by itself."""
    identifier, algorithm = _OLD_SIGNATURES[digest]
    assert isinstance(signer.key, rsa.RSAPrivateKey)
    signed = issued.certificate.tbs_certificate_bytes.replace(_WITH_SHA256, identifier)
    signature = signer.key.sign(signed, padding.PKCS1v15(), algorithm)
    der = issued.der.replace(_WITH_SHA256, identifier)[: -len(signature)] + signature
    return Issued(x509.load_der_x509_certificate(der), issued.key)


def _extensions(wish: Wish, own: PrivateKey, signer: PrivateKey) -> Iterable[tuple[x509.ExtensionType, bool]]:
    if wish.ca is not None:
        yield x509.BasicConstraints(wish.ca, wish.path_length), True
    if wish.dns or wish.ips:
        names: list[x509.GeneralName] = [x509.DNSName(text) for text in wish.dns]
        names += [x509.IPAddress(ipaddress.ip_address(text)) for text in wish.ips]
        yield x509.SubjectAlternativeName(names), False
    if wish.purposes is not None:
        yield x509.ExtendedKeyUsage(wish.purposes), False
    if wish.may_sign is not None:
        usage = dict.fromkeys(
            ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"], False
        )
        more = {"digital_signature": True, "encipher_only": False, "decipher_only": False}
        yield x509.KeyUsage(key_cert_sign=wish.may_sign, **usage, **more), True
    if wish.permitted or wish.excluded:
        yield x509.NameConstraints(list(wish.permitted) or None, list(wish.excluded) or None), True
    if wish.identifiers:
        yield x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
    if wish.critical_unknown:
        yield x509.UnrecognizedExtension(UNKNOWN_EXTENSION, b"\x05\x00"), True


def root(label: str = "Root", **changes: Any) -> Issued:
    wish: dict[str, Any] = {"ca": True, "starts_days": -3000, "ends_days": 3000, "may_sign": True, **changes}
    subject = wish.pop("subject", name(label))
    return issue(Wish(subject, wish.pop("key_name", label), **wish))


def intermediate(by: Issued, label: str = "Intermediate", **changes: Any) -> Issued:
    wish: dict[str, Any] = {"ca": True, "starts_days": -1000, "ends_days": 1000, "may_sign": True, **changes}
    subject = wish.pop("subject", name(label))
    return issue(Wish(subject, wish.pop("key_name", label), **wish), by)


def leaf(by: Issued, **changes: Any) -> Issued:
    wish: dict[str, Any] = {"dns": [HOST], "purposes": [ExtendedKeyUsageOID.SERVER_AUTH], **changes}
    issuer_name = wish.pop("issuer_name", None)
    subject = wish.pop("subject", name(HOST))
    return issue(Wish(subject, wish.pop("key_name", "Leaf"), **wish), by, issuer_name)

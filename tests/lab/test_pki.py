"""Certificates: each is good but for the one thing its scenario wants."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from flexiscan_lab.pki import Authority
from flexiscan_lab.scenario import Certificate

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
HOST = "flexi.example.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), NOW)


def chain_of(authority: Authority, wanted: Certificate) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(Path(authority.issue(wanted, HOST).chain_path).read_bytes())


def verify(authority: Authority, chain: list[x509.Certificate], host: str = HOST) -> None:
    root = x509.load_pem_x509_certificate(authority.write_bundle().read_bytes())
    verifier = PolicyBuilder().store(Store([root])).time(NOW).build_server_verifier(x509.DNSName(host))
    verifier.verify(chain[0], chain[1:])


def test_a_good_certificate_verifies(authority: Authority) -> None:
    chain = chain_of(authority, Certificate())
    assert len(chain) == 2
    verify(authority, chain)


@pytest.mark.parametrize(
    "bad",
    [
        Certificate(starts_days=-400, ends_days=-3),
        Certificate(starts_days=1),
        Certificate(names=("www.example.test", "*.flexi.example.test")),
        Certificate(chain="leaf-only"),
        Certificate(chain="self-signed"),
        Certificate(digest="sha1"),
    ],
    ids=str,
)
def test_a_bad_certificate_does_not(authority: Authority, bad: Certificate) -> None:
    with pytest.raises(VerificationError):
        verify(authority, chain_of(authority, bad))


def test_a_sha1_signature_is_a_real_one(authority: Authority) -> None:
    leaf, issuer = chain_of(authority, Certificate(digest="sha1"))
    assert isinstance(leaf.signature_hash_algorithm, hashes.SHA1)
    key = issuer.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(leaf.signature, leaf.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    with pytest.raises(InvalidSignature):
        key.verify(leaf.signature, leaf.tbs_certificate_bytes + b"x", padding.PKCS1v15(), hashes.SHA1())  # noqa: S303


def test_keys_and_files(authority: Authority) -> None:
    weak = chain_of(authority, Certificate(key="rsa-1024"))[0].public_key()
    assert isinstance(weak, rsa.RSAPublicKey)
    assert weak.key_size == 1024
    issued = authority.issue(Certificate(key="ec-p256"), HOST)
    assert isinstance(
        x509.load_pem_x509_certificate(Path(issued.chain_path).read_bytes()).public_key(), ec.EllipticCurvePublicKey
    )
    assert Path(issued.key_path).stat().st_mode & 0o077 == 0
    assert issued.key_path != authority.issue(Certificate(), HOST).key_path

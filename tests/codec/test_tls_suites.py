from __future__ import annotations

import ssl

import pytest

from flexiscan.model.tls_suite_table import SUITE_NAMES
from flexiscan.model.tls_suites import SIGNALLING, SSL2_NAMES, suite_name, suite_of
from tests.codec.other_tls import CipherSuite


def test_every_suite_in_the_table_can_be_taken_apart() -> None:
    for number in SUITE_NAMES:
        suite = suite_of(number)
        assert (suite is None) == (number in SIGNALLING)
        if suite is not None:
            assert suite.number == number
            assert suite.bits in (0, 40, 56, 80, 112, 128, 256)


def test_table_agrees_with_the_numbers_and_names_of_openssl() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    for cipher in context.get_ciphers():
        suite = suite_of(cipher["id"] & 0xFFFF)
        assert suite is not None, cipher["name"]
        assert suite.aead == cipher["aead"], suite.name
        assert suite.anonymous == (cipher["auth"] == "auth-null"), suite.name
        assert (suite.bits == 0) == (cipher["strength_bits"] == 0), suite.name
        if suite.cipher != "NULL":
            # OpenSSL says 64 for CCM_8, whose tag is that short; the key is not.
            short_tag = suite.cipher.endswith("CCM_8")
            assert short_tag or suite.bits == cipher["strength_bits"], suite.name
        exchange = {"kx-dhe": "DHE", "kx-ecdhe": "ECDHE", "kx-rsa": "RSA", "kx-psk": "PSK", "kx-srp": "SRP"}
        if cipher["kea"] in exchange:
            assert suite.key_exchange == exchange[cipher["kea"]], suite.name


def test_table_agrees_with_the_names_of_a_second_library() -> None:
    for number, name in CipherSuite.ietfNames.items():
        if number > 0xFFFF:
            assert SSL2_NAMES[number] == name
        elif not name.endswith("draft_00"):
            assert SUITE_NAMES[number].casefold() == name.casefold()


@pytest.mark.parametrize(
    ("number", "key_exchange", "authentication", "cipher", "bits", "mac", "export"),
    [
        (0x0003, "RSA", "RSA", "RC4_40", 40, "MD5", True),
        (0x0062, "RSA", "RSA", "DES_CBC", 56, "SHA", True),
        (0x000A, "RSA", "RSA", "3DES_EDE_CBC", 112, "SHA", False),
        (0x0026, "KRB5", "KRB5", "DES_CBC_40", 40, "SHA", True),
        (0x0018, "DHE", "anon", "RC4_128", 128, "MD5", False),
        (0xC02F, "ECDHE", "RSA", "AES_128_GCM", 128, "AEAD", False),
        (0xC0AE, "ECDHE", "ECDSA", "AES_128_CCM_8", 128, "AEAD", False),
        (0xC0AA, "DHE", "PSK", "AES_128_CCM_8", 128, "AEAD", False),
        (0xC051, "RSA", "RSA", "ARIA_256_GCM", 256, "AEAD", False),
        (0xC04D, "ECDHE", "RSA", "ARIA_256_CBC", 256, "SHA384", False),
        (0xC100, "GOST", "GOST", "KUZNYECHIK_CTR", 256, "OMAC", False),
        (0xC103, "TLS13", "TLS13", "KUZNYECHIK_MGM_L", 256, "AEAD", False),
        (0xC01B, "SRP", "RSA", "3DES_EDE_CBC", 112, "SHA", False),
        (0xC0B4, "TLS13", "TLS13", "NULL", 0, "SHA256", False),
        (0x1303, "TLS13", "TLS13", "CHACHA20_POLY1305", 256, "AEAD", False),
        (0xC0B0, "ECDHE", "PWD", "AES_128_GCM", 128, "AEAD", False),
    ],
)
def test_traits(
    number: int, key_exchange: str, authentication: str, cipher: str, bits: int, mac: str, export: bool
) -> None:
    suite = suite_of(number)
    assert suite is not None
    assert (suite.key_exchange, suite.authentication) == (key_exchange, authentication)
    assert (suite.cipher, suite.bits, suite.mac, suite.export) == (cipher, bits, mac, export)


def test_unknown_numbers_are_shown_as_numbers() -> None:
    assert suite_name(0x4242) == "0x4242"
    assert suite_of(0x4242) is None


def test_only_tls12_and_later_may_use_aead_and_own_hash_suites() -> None:
    late = {0x009C, 0x003C, 0xC023, 0xCCA8, 0x003B}
    early = {0x002F, 0x0005, 0xC013, 0x0003, 0x0041, 0x0096, 0x0081}
    assert all(suite.needs_tls12 for suite in map(suite_of, late) if suite)
    assert not any(suite.needs_tls12 for suite in map(suite_of, early) if suite)

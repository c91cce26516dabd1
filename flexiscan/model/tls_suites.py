"""What a TLS cipher suite is made of, read from its registered name.

Descriptive only: which suites are weak is a judgement and stands in the policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from flexiscan.model.tls_suite_table import SUITE_NAMES

KeyExchange = Literal["RSA", "DH", "DHE", "ECDH", "ECDHE", "PSK", "SRP", "KRB5", "GOST", "FORTEZZA", "TLS13", "NULL"]
Authentication = Literal["RSA", "DSS", "ECDSA", "anon", "PSK", "SRP", "KRB5", "GOST", "PWD", "KEA", "TLS13", "NULL"]

# Signalling values that stand in the suite list but name no suite (RFC 5746 3.3, RFC 7507).
SIGNALLING: Final = frozenset({0x00FF, 0x5600})

# SSL 2.0 cipher kinds (draft-hickman-netscape-ssl-00, 3-byte numbers); RC4-64 is OpenSSL's, the null kind is in
# the draft's list of the first SSL library.
SSL2_NAMES: Final[dict[int, str]] = {
    0x010080: "SSL_CK_RC4_128_WITH_MD5",
    0x020080: "SSL_CK_RC4_128_EXPORT40_WITH_MD5",
    0x030080: "SSL_CK_RC2_128_CBC_WITH_MD5",
    0x040080: "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5",
    0x050080: "SSL_CK_IDEA_128_CBC_WITH_MD5",
    0x060040: "SSL_CK_DES_64_CBC_WITH_MD5",
    0x0700C0: "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
    0x080080: "SSL_CK_RC4_64_WITH_MD5",
}

# Effective key bits by the beginning of the cipher part of a name; the first match counts.
_CIPHER_BITS: Final[tuple[tuple[str, int], ...]] = (
    ("NULL", 0),
    ("RC4_40", 40),
    ("RC4_56", 56),
    ("RC4_128", 128),
    ("RC2_CBC_40", 40),
    ("RC2_CBC_56", 56),
    ("DES40_CBC", 40),
    ("DES_CBC_40", 40),
    ("DES_CBC", 56),
    ("3DES_EDE_CBC", 112),  # NIST SP 800-57 part 1: two-key strength by meet in the middle
    ("IDEA_CBC", 128),
    ("SEED_CBC", 128),
    ("FORTEZZA_CBC", 80),
    ("AES_128", 128),
    ("AES_256", 256),
    ("CAMELLIA_128", 128),
    ("CAMELLIA_256", 256),
    ("ARIA_128", 128),
    ("ARIA_256", 256),
    ("CHACHA20_POLY1305", 256),
    ("AEGIS_128L", 128),
    ("AEGIS_256", 256),
    ("SM4", 128),
    ("28147_CNT", 256),
    ("KUZNYECHIK", 256),
    ("MAGMA", 256),
)

_KEY_EXCHANGES: Final[dict[str, tuple[KeyExchange, Authentication]]] = {
    "NULL": ("NULL", "NULL"),
    "RSA": ("RSA", "RSA"),
    "RSA_FIPS": ("RSA", "RSA"),
    "DH_DSS": ("DH", "DSS"),
    "DH_RSA": ("DH", "RSA"),
    "DHE_DSS": ("DHE", "DSS"),
    "DHE_RSA": ("DHE", "RSA"),
    "DH_anon": ("DHE", "anon"),
    "ECDH_ECDSA": ("ECDH", "ECDSA"),
    "ECDH_RSA": ("ECDH", "RSA"),
    "ECDHE_ECDSA": ("ECDHE", "ECDSA"),
    "ECDHE_RSA": ("ECDHE", "RSA"),
    "ECDH_anon": ("ECDHE", "anon"),
    "PSK": ("PSK", "PSK"),
    "DHE_PSK": ("DHE", "PSK"),
    "PSK_DHE": ("DHE", "PSK"),  # the registry's own word order for the two CCM_8 suites (RFC 6655)
    "RSA_PSK": ("RSA", "PSK"),
    "ECDHE_PSK": ("ECDHE", "PSK"),
    "ECCPWD": ("ECDHE", "PWD"),
    "SRP_SHA": ("SRP", "SRP"),
    "SRP_SHA_RSA": ("SRP", "RSA"),
    "SRP_SHA_DSS": ("SRP", "DSS"),
    "KRB5": ("KRB5", "KRB5"),
    "GOSTR341094": ("GOST", "GOST"),
    "GOSTR341001": ("GOST", "GOST"),
    "GOSTR341112_256": ("GOST", "GOST"),
    "FORTEZZA_KEA": ("FORTEZZA", "KEA"),
}

# Endings of names that are not in the registry, to tell doubles apart; they say nothing about the suite.
_UNREGISTERED_ENDING: Final = re.compile(r"_(OLD|DRAFT|LEGACY|NETSCAPE)$")


@dataclass(frozen=True, slots=True)
class Suite:
    """One cipher suite taken apart.

    `cipher` is the name's middle part ("AES_128_GCM"), `bits` its effective key length, `mac` the hash of the
    record MAC or "AEAD". `export` also holds for the 56-bit "EXPORT1024" suites.
    """

    number: int
    name: str
    key_exchange: KeyExchange
    authentication: Authentication
    cipher: str
    bits: int
    mac: str
    export: bool

    @property
    def aead(self) -> bool:
        """Whether encryption and integrity are one step (RFC 5116)."""
        return self.mac == "AEAD"

    @property
    def cbc(self) -> bool:
        """Whether the cipher runs in cipher block chaining mode."""
        return "CBC" in self.cipher

    @property
    def anonymous(self) -> bool:
        """Whether the server proves no identity at all."""
        return self.authentication in ("anon", "NULL")

    @property
    def forward_secret(self) -> bool:
        """Whether the long-term key alone does not open recorded traffic."""
        return self.key_exchange in ("DHE", "ECDHE", "TLS13")

    @property
    def tls13(self) -> bool:
        """Whether the suite belongs to TLS 1.3 alone (RFC 8446 B.4, RFC 8998, RFC 9150, RFC 9367)."""
        return self.key_exchange == "TLS13"

    @property
    def needs_tls12(self) -> bool:
        """Whether no version before TLS 1.2 may use it (RFC 5246 1.2: AEAD and suites with a hash of their own)."""
        return self.aead or self.mac in ("SHA256", "SHA384") or self.cipher.startswith(("KUZNYECHIK", "MAGMA"))


def suite_name(number: int) -> str:
    """The registered name, or the number in hexadecimal where there is none."""
    return SUITE_NAMES.get(number, f"0x{number:04X}")


@cache
def suite_of(number: int) -> Suite | None:
    """The suite behind a number; None for signalling values and numbers outside the table."""
    name = SUITE_NAMES.get(number)
    if name is None or number in SIGNALLING:
        return None
    plain = _UNREGISTERED_ENDING.sub("", name.removeprefix("TLS_"))
    exchange, separator, rest = plain.partition("_WITH_")
    if not separator or "MGM" in rest:
        return _tls13_suite(number, name, rest or plain)
    exchange, export = re.subn(r"_EXPORT(1024)?$", "", exchange)
    key_exchange, authentication = _KEY_EXCHANGES[exchange]
    cipher, mac = _split_cipher(rest)
    bits = 56 if export and cipher == "DES_CBC" else _bits_of(cipher)
    return Suite(number, name, key_exchange, authentication, cipher, bits, mac, bool(export))


def _tls13_suite(number: int, name: str, rest: str) -> Suite:
    if rest in ("SHA256_SHA256", "SHA384_SHA384"):  # RFC 9150: integrity without encryption
        return Suite(number, name, "TLS13", "TLS13", "NULL", 0, rest.partition("_")[0], export=False)
    cipher = re.sub(r"_(SHA256|SHA384|SHA512|SM3)$", "", rest)
    return Suite(number, name, "TLS13", "TLS13", cipher, _bits_of(cipher), "AEAD", export=False)


def _split_cipher(rest: str) -> tuple[str, str]:
    """Cipher and MAC of the part after "_WITH_"."""
    if rest.endswith(("_CCM", "_CCM_8", "_POLY1305")):
        return rest, "AEAD"
    cipher, _, mac = rest.rpartition("_")
    if mac == "NULL":
        return "NULL", "NULL"
    aead = cipher.endswith(("_GCM", "_CCM", "_CCM_8", "_POLY1305"))
    return cipher, "AEAD" if aead else mac


def _bits_of(cipher: str) -> int:
    for beginning, bits in _CIPHER_BITS:
        if cipher.startswith(beginning):
            return bits
    raise KeyError(cipher)

"""Which cipher suites are weak, and why. The guide asks for weak ciphers to be off (checklist 5)."""

from __future__ import annotations

from typing import Final

from flexiscan.model.facts_tls import TlsVersion
from flexiscan.model.tls_suites import SSL2_NAMES, suite_name, suite_of

MIN_CIPHER_BITS: Final = 128
"""Below it a cipher is broken in practice or by a birthday attack (RFC 7525 4.1, RFC 9325 4.1)."""

BROKEN_WITHOUT_DOUBT: Final = frozenset(
    {"null", "anonymous", "export", "rc2", "rc4", "des", "sslv2", "short-key", "md5"}
)
"""All but 3DES, whose attack needs hundreds of gigabytes of one connection (CVE-2016-2183)."""


def weaknesses_of(number: int, version: TlsVersion) -> frozenset[str]:
    """Why a suite must be off; empty when nothing speaks against it. An unknown number is weak as "unknown"."""
    if version == "SSLv2":
        return frozenset({"sslv2"})
    suite = suite_of(number)
    if suite is None:
        return frozenset({"unknown"})
    signs = {
        "null": suite.bits == 0,
        "anonymous": suite.anonymous,
        "export": suite.export,
        "rc4": suite.cipher.startswith("RC4"),
        "rc2": suite.cipher.startswith("RC2"),
        "des": suite.cipher.startswith("DES"),
        "3des": suite.cipher.startswith("3DES"),
        "md5": suite.mac == "MD5",
        "short-key": 0 < suite.bits < MIN_CIPHER_BITS and not suite.cipher.startswith(("DES", "3DES", "RC")),
    }
    return frozenset(name for name, present in signs.items() if present)


def remarks_of(number: int, version: TlsVersion) -> frozenset[str]:
    """What is dated about a suite without making it weak: shown, not failed."""
    suite = None if version == "SSLv2" else suite_of(number)
    if suite is None:
        return frozenset()
    signs = {
        "cbc-sha1": suite.cbc and suite.mac == "SHA",
        "no-forward-secrecy": not is_forward_secret(number, version),
        "dss": suite.authentication == "DSS",
        "old-cipher": suite.cipher.startswith(("IDEA", "SEED", "28147", "FORTEZZA")),
    }
    return frozenset(name for name, present in signs.items() if present)


def is_forward_secret(number: int, version: TlsVersion) -> bool:
    """Whether the keys of a connection are worth nothing to whoever gets the server's key later."""
    suite = None if version == "SSLv2" else suite_of(number)
    return suite is not None and suite.forward_secret


def shown_name(number: int, version: TlsVersion) -> str:
    """The registered name of a suite, or of a cipher kind of SSL 2.0."""
    return SSL2_NAMES.get(number, f"0x{number:06X}") if version == "SSLv2" else suite_name(number)

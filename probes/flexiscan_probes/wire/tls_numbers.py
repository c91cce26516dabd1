"""Numbers of the TLS wire: versions, alerts, groups, signature schemes, and which suites a hello offers.

Sources: RFC 8446, RFC 5246, RFC 6101 (SSL 3.0), draft-hickman-netscape-ssl-00 (SSL 2.0) and the IANA "TLS
Parameters" registry as of 2026-11. Suite names and traits stand in flexiscan.model.tls_suites.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from flexiscan.model.facts_tls import TlsVersion
from flexiscan.model.tls_suite_table import SUITE_NAMES
from flexiscan.model.tls_suites import SSL2_NAMES, Suite, suite_of

VERSION_NUMBERS: Final[dict[TlsVersion, int]] = {
    "SSLv2": 0x0002,
    "SSLv3": 0x0300,
    "TLSv1.0": 0x0301,
    "TLSv1.1": 0x0302,
    "TLSv1.2": 0x0303,
    "TLSv1.3": 0x0304,
}
VERSION_NAMES: Final[dict[int, TlsVersion]] = {number: name for name, number in VERSION_NUMBERS.items()}

MAX_SUITES_PER_HELLO: Final = 64
"""Longer lists break some servers; scanners that met them settled on 64."""

# Content types (RFC 8446 5.1, RFC 6520).
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24
# Handshake types (RFC 8446 4, RFC 5246 7.4, RFC 6066 8).
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE = 1, 2, 11, 12
CERTIFICATE_REQUEST, SERVER_HELLO_DONE, CERTIFICATE_STATUS = 13, 14, 22
# SSL 2.0 message types (draft-hickman-netscape-ssl-00).
SSL2_ERROR, SSL2_CLIENT_HELLO, SSL2_SERVER_HELLO = 0, 1, 4

# Extensions (IANA TLS ExtensionType Values).
EXT_SERVER_NAME, EXT_STATUS_REQUEST, EXT_GROUPS, EXT_POINT_FORMATS, EXT_SIGNATURES = 0, 5, 10, 11, 13
EXT_ALPN, EXT_SCT, EXT_PADDING, EXT_MASTER_SECRET, EXT_TICKET = 16, 18, 21, 23, 35
EXT_VERSIONS, EXT_KEY_SHARE, EXT_RENEGOTIATION = 43, 51, 0xFF01

# SHA-256 of "HelloRetryRequest": the random value that marks one (RFC 8446 4.1.3).
RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

SCSV_RENEGOTIATION: Final = 0x00FF
SCSV_FALLBACK: Final = 0x5600

GROUP_NAMES: Final[dict[int, str]] = {
    # NIST and Certicom curves (RFC 4492; all but 23-25 withdrawn by RFC 8422)
    1: "sect163k1", 2: "sect163r1", 3: "sect163r2", 4: "sect193r1", 5: "sect193r2", 6: "sect233k1", 7: "sect233r1",
    8: "sect239k1", 9: "sect283k1", 10: "sect283r1", 11: "sect409k1", 12: "sect409r1", 13: "sect571k1",
    14: "sect571r1", 15: "secp160k1", 16: "secp160r1", 17: "secp160r2", 18: "secp192k1", 19: "secp192r1",
    20: "secp224k1", 21: "secp224r1", 22: "secp256k1", 23: "secp256r1", 24: "secp384r1", 25: "secp521r1",
    # RFC 7027, RFC 8422, RFC 8734, RFC 9189, RFC 8998
    26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1", 29: "x25519", 30: "x448",
    31: "brainpoolP256r1tls13", 32: "brainpoolP384r1tls13", 33: "brainpoolP512r1tls13",
    34: "GC256A", 35: "GC256B", 36: "GC256C", 37: "GC256D", 38: "GC512A", 39: "GC512B", 40: "GC512C",
    41: "curveSM2",
    # RFC 7919
    256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144", 260: "ffdhe8192",
    # ML-KEM alone and with a classical curve (draft-ietf-tls-mlkem, draft-ietf-tls-ecdhe-mlkem)
    512: "MLKEM512", 513: "MLKEM768", 514: "MLKEM1024",
    0x11EB: "SecP256r1MLKEM768", 0x11EC: "X25519MLKEM768", 0x11ED: "SecP384r1MLKEM1024", 0x11EE: "curveSM2MLKEM768",
    0x6399: "X25519Kyber768Draft00", 0x639A: "SecP256r1Kyber768Draft00",
}  # fmt: skip

GROUPS_TLS13: Final = (
    0x11EC, 29, 23, 24, 25, 30, 0x11EB, 0x11ED, 256, 257, 258, 259, 260, 31, 32, 33, 41, 0x11EE, 512, 513, 514,
    34, 35, 36, 37, 38, 39, 40, 0x6399, 0x639A,
)  # fmt: skip
"""Offered in TLS 1.3 hellos, commonest first; the first three are what browsers of 2026 offer."""

GROUPS_TLS12: Final = (
    29, 23, 24, 25, 30, 26, 27, 28, 22, 21, 19, 20, 18, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 17, 16, 15,
    256, 257, 258, 259, 260,
)  # fmt: skip
"""Offered in hellos up to TLS 1.2, commonest first."""

SIGNATURE_SCHEMES: Final = (
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0401, 0x0501, 0x0601,
    0x081A, 0x081B, 0x081C, 0x0708, 0x0904, 0x0905, 0x0906, 0x0303, 0x0301, 0x0302, 0x0402, 0x0203, 0x0201, 0x0202,
    0x0101,
)  # fmt: skip
"""Everything that a server could sign with, SHA-1 and MD5 included: the question is what it has."""

ALERT_NAMES: Final[dict[int, str]] = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed",
    22: "record_overflow", 30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
    46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 52: "too_many_cids_requested", 60: "export_restriction", 70: "protocol_version",
    71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled",
    100: "no_renegotiation", 109: "missing_extension", 110: "unsupported_extension",
    111: "certificate_unobtainable", 112: "unrecognized_name", 113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value", 115: "unknown_psk_identity", 116: "certificate_required",
    117: "general_error", 120: "no_application_protocol", 121: "ech_required",
}  # fmt: skip

SSL2_KINDS: Final = tuple(SSL2_NAMES)
"""All cipher kinds of SSL 2.0: one hello lists everything the server has."""

SUITES_TLS13: Final = (
    0x1301, 0x1302, 0x1303, 0x1304, 0x1305, 0x00C6, 0x00C7, 0x1306, 0x1307, 0xC103, 0xC104, 0xC105, 0xC106,
    0xC0B4, 0xC0B5,
)  # fmt: skip

SUITES_SHORT: Final = (0xC02F, 0xC02B, 0xC013, 0xC009, 0x009C, 0x002F, 0x0035, 0x000A, 0x0033, 0x0005, 0x0004)
"""A short, classical list for the second hello that confirms a refusal: what clients from 1999 to 2012 sent."""

SUITES_MODERN: Final = (
    0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0x009E, 0x009F, 0xCCAA, 0xC023, 0xC027,
    0xC024, 0xC028, 0xC009, 0xC013, 0xC00A, 0xC014, 0x0067, 0x006B, 0x0033, 0x0039, 0x009C, 0x009D, 0x003C, 0x003D,
    0x002F, 0x0035, 0x000A, 0x0016, 0x0005, 0x0004,
)  # fmt: skip
"""A wide list of what ordinary clients offer, for the hello that every TLS server ought to answer."""

_NEVER_NEGOTIATED: Final = 0x0000  # RFC 5246 A.5: the state before the first handshake


@cache
def suites_for(version: TlsVersion) -> tuple[int, ...]:
    """All suites that may be negotiated in a version, commonest first. SSLv2 has kinds instead (SSL2_KINDS)."""
    if version == "SSLv2":
        return SSL2_KINDS
    if version == "TLSv1.3":
        return SUITES_TLS13
    known = (suite_of(number) for number in SUITE_NAMES if number != _NEVER_NEGOTIATED)
    usable = [suite for suite in known if suite and not suite.tls13 and (version == "TLSv1.2" or not suite.needs_tls12)]
    return tuple(suite.number for suite in sorted(usable, key=_commonness))


@cache
def chunks_for(version: TlsVersion) -> tuple[tuple[int, ...], ...]:
    """The suites of a version cut into lists of at most 63, commonest first: one place is left for a signal."""
    suites = suites_for(version)
    size = MAX_SUITES_PER_HELLO - 1
    return tuple(suites[i : i + size] for i in range(0, len(suites), size))


def _commonness(suite: Suite) -> tuple[int, int, int]:
    """Sort key: suites of ordinary web servers, then weak and rare ones, then those without certificates."""
    if suite.number in SUITES_MODERN:
        return (0, SUITES_MODERN.index(suite.number), 0)
    certificate = suite.authentication in ("RSA", "ECDSA") and suite.key_exchange in ("RSA", "DHE", "ECDHE")
    if certificate and suite.cipher.startswith(("AES", "CHACHA", "RC4", "3DES", "NULL", "DES")):
        return (1, suite.export, suite.number)
    if certificate or suite.anonymous:
        return (2, not suite.anonymous, suite.number)
    return (3, suite.authentication != "DSS", suite.number)

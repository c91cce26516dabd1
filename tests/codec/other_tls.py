"""A second TLS implementation, imported without the deprecation warning that its import alone raises."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
    from tlslite.constants import CipherSuite
    from tlslite.mathtls import FFDHE2048
    from tlslite.messages import ClientHello
    from tlslite.utils.codec import Parser

__all__ = [
    "FFDHE2048",
    "CipherSuite",
    "ClientHello",
    "HandshakeSettings",
    "Parser",
    "TLSConnection",
    "X509CertChain",
    "parsePEMKey",
]

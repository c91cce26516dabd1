"""TLS settings for looking at a server, never for trusting one."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence

_LEGACY_SERVER_CONNECT = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT (openssl/ssl.h): talk to servers without RFC 5746; Python names it from 3.12 on."""


def permissive_context(
    *,
    minimum_version: ssl.TLSVersion = ssl.TLSVersion.MINIMUM_SUPPORTED,
    maximum_version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    alpn: Sequence[str] = (),
) -> ssl.SSLContext:
    """A context that agrees with nearly every server, so that what it serves can be observed.

    It verifies neither chain nor name: a server with an expired certificate must be observed too, and the
    certificate is judged from the bytes by its own rules. Security level 0 (SSL_CTX_set_security_level(3)) admits
    old versions, SHA-1 signatures, small keys and suites without authentication. Nothing secret may be sent over it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= _LEGACY_SERVER_CONNECT
    with warnings.catch_warnings():
        # Naming TLS 1.0 and 1.1 is deprecated; observing them is the purpose here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = minimum_version
        context.maximum_version = maximum_version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context

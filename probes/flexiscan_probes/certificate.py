"""The certificates of a complete TLS handshake: the only way to see them in TLS 1.3, where they are encrypted.

Nothing is verified here: the chain is a fact, whether it can be trusted is a judgement.
"""

from __future__ import annotations

import base64
from typing import Final

from flexiscan.model.facts_tls import CertificateChain, TlsOutcome, TlsVersion
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, NotConnected, TlsFailed, permissive_context

HANDSHAKE_TIMEOUT_S: Final = 5.0
_ALPN: Final = ("h2", "http/1.1")

_CONNECT_OUTCOMES: Final[dict[str, TlsOutcome]] = {
    "reset": "connect-reset",
    "icmp": "connect-icmp",
    "refused": "connect-refused",
    "silence": "connect-silence",
}
_FAILURES: Final[dict[str, TlsOutcome]] = {
    "alert": "alert",
    "closed": "closed",
    "reset": "reset",
    "timeout": "timeout",
    "not-tls": "not-tls",
    "failed": "not-tls",
}
# The names that the ssl module gives to versions.
_VERSIONS: Final[dict[str, TlsVersion]] = {
    "SSLv3": "SSLv3",
    "TLSv1": "TLSv1.0",
    "TLSv1.1": "TLSv1.1",
    "TLSv1.2": "TLSv1.2",
    "TLSv1.3": "TLSv1.3",
}


async def ask_handshake(context: Context, task: Task) -> CertificateChain:
    """Complete one handshake and note the chain as sent, the version, the suite and the protocol agreed on."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} has no endpoint")
    sni = task.params.get("sni")
    link = await context.connect(task.address, task.port)
    if isinstance(link, NotConnected):
        return CertificateChain(outcome=_CONNECT_OUTCOMES[link.outcome], sni=sni)
    async with link:
        agreed = await link.start_tls(permissive_context(alpn=_ALPN), server_name=sni, timeout_s=HANDSHAKE_TIMEOUT_S)
    if isinstance(agreed, TlsFailed):
        return CertificateChain(outcome=_FAILURES[agreed.outcome], detail=agreed.detail, sni=sni)
    return CertificateChain(
        outcome="handshake",
        sni=sni,
        version=_VERSIONS.get(agreed.version),
        suite=agreed.cipher,
        alpn=agreed.alpn,
        chain_der_b64=tuple(base64.b64encode(der).decode("ascii") for der in agreed.chain_der),
    )

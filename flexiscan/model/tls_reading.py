"""What an answer to a ClientHello means in the words of the protocol. Says nothing about good or bad.

Shared by the probe, which chooses the next hello by it, and by the rules.
"""

from __future__ import annotations

from typing import Final, Literal

from flexiscan.model.facts import Fact
from flexiscan.model.facts_tls import TlsReply, TlsVersion

Reading = Literal["accepted", "declined", "unwilling", "dropped", "silent", "lost", "foreign"]
"""accepted: the version and one of the suites offered. declined: an older version, or "protocol_version".
unwilling: an alert that says that nothing is in common. dropped: the connection was ended without such a word.
silent: nothing in time. lost: no connection. foreign: not TLS, or an answer that the hello does not allow."""

TLS_VERSIONS: Final[tuple[TlsVersion, ...]] = ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
"""From oldest to newest."""

PROTOCOL_VERSION: Final = 70
UNRECOGNIZED_NAME: Final = 112
"""RFC 6066 3: the server knows no such name."""
ALERTS_OF_NEGOTIATION: Final = frozenset({40, 47, 71})
"""handshake_failure, illegal_parameter, insufficient_security: nothing in common (RFC 5246 7.2.2)."""


def reading_of(fact: Fact) -> Reading:
    """What the answer means for the question that the hello put."""
    if fact.kind != "tls-hello":
        return "foreign"
    if fact.outcome in ("server-hello", "hello-retry"):
        return _reading_of_hello(fact)
    if fact.outcome == "alert":
        if fact.alert_description == PROTOCOL_VERSION:
            return "declined"
        return "unwilling" if fact.alert_description in ALERTS_OF_NEGOTIATION else "dropped"
    if fact.outcome in ("closed", "reset"):
        return "dropped"
    if fact.outcome == "timeout":
        return "silent"
    return "foreign" if fact.outcome == "not-tls" else "lost"


def agreed_to(fact: Fact) -> bool:
    """Whether the server answered with a hello of any version and took something that was offered."""
    if fact.kind != "tls-hello" or fact.outcome not in ("server-hello", "hello-retry"):
        return False
    return fact.version == "SSLv2" or fact.suite in fact.hello.suites


def _reading_of_hello(fact: TlsReply) -> Reading:
    if fact.version is None:
        return "foreign"
    if fact.version == fact.hello.version:
        return "accepted" if agreed_to(fact) else "foreign"
    older = TLS_VERSIONS.index(fact.version) < TLS_VERSIONS.index(fact.hello.version)
    return "declined" if older else "foreign"

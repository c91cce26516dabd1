"""Puts one ClientHello to a server and notes the answer: one connection, no cryptography."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Mapping
from typing import Any, Final, Literal

from flexiscan.model.facts import Fact
from flexiscan.model.facts_tls import TlsHelloSent, TlsOutcome, TlsReply, TlsVersion
from flexiscan.model.plan import Task
from flexiscan.sdk import Connection, Context, NotConnected
from flexiscan_probes.wire import tls_numbers as n
from flexiscan_probes.wire.tls_hello import ClientHello, KeyShare, write_client_hello, write_ssl2_hello
from flexiscan_probes.wire.tls_reply import MAX_STREAM_BYTES, Reply, ReplyReader

ANSWER_TIMEOUT_S: Final = 3.0
"""For the whole answer, not for each byte: a server that drips must not hold us."""

NUDGE_SHARE: Final = 2 / 3
"""Of that time: a server in clear text that still waits for the end of a line then gets one, and shows itself."""

_NUDGE: Final = b"\r\n\r\n"
_READ_BYTES: Final = 16384
_CONTROL_VERSIONS: Final = (0x0304, 0x0303, 0x0302, 0x0301)
_CONTROL_GROUPS: Final = (0x11EC, 29, 23, 24, 25, 30, 0x11EB, 0x11ED, 26, 27, 28, 256, 257, 258)
# Base point of P-256 (SEC 2, 2.4.2), uncompressed: a valid public key that nobody has to compute.
_P256_BASE_POINT: Final = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)

_CONNECT_OUTCOMES: Final[dict[str, TlsOutcome]] = {
    "reset": "connect-reset",
    "icmp": "connect-icmp",
    "refused": "connect-refused",
    "silence": "connect-silence",
}


async def ask_hello(context: Context, task: Task) -> TlsReply:
    """Send the hello that the task describes and read its answer until nothing more can be read in clear."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} has no endpoint")
    wire = write_hello(task.params, context.random)
    sent = _describe(task.params, len(wire))
    began = context.monotonic()
    link = await context.connect(task.address, task.port)
    if isinstance(link, NotConnected):
        waited_ms = (context.monotonic() - began) * 1000
        return TlsReply(hello=sent, outcome=_CONNECT_OUTCOMES[link.outcome], elapsed_ms=waited_ms)
    async with link:
        began = context.monotonic()
        reader = ReplyReader(expect_ssl2=sent.version == "SSLv2")
        nudges = [_NUDGE] if task.params["step"] in ("control", "control-plain") else []
        ending = await _converse(context, link, [wire, *nudges], reader)
        elapsed_ms = (context.monotonic() - began) * 1000
    return _fact(sent, reader.reply, ending, elapsed_ms, frozenset(task.params.get("known", ())))


async def _converse(
    context: Context, link: Connection, sends: list[bytes], reader: ReplyReader
) -> Literal["", "closed", "reset", "timeout"]:
    """Send the first piece and feed the reader; the second follows if all stays silent for most of the time.

    Returns how the stream ended, "" when the reader had enough. A server that closed or reset while we wrote may have
    said why before: the answer is read all the same.
    """
    deadline_s = context.monotonic() + ANSWER_TIMEOUT_S
    nudge_s = deadline_s - (1 - NUDGE_SHARE) * ANSWER_TIMEOUT_S
    if await link.send(sends[0], timeout_s=ANSWER_TIMEOUT_S) == "timeout":
        return "timeout"
    waiting, received_bytes = sends[1:], 0
    while not reader.done and received_bytes < MAX_STREAM_BYTES:
        until_s = nudge_s if waiting and not received_bytes else deadline_s
        received = await link.receive(max_bytes=_READ_BYTES, timeout_s=max(until_s - context.monotonic(), 0.0))
        received_bytes += len(received.data)
        reader.feed(received.data)
        if received.ending == "timeout" and until_s < deadline_s:
            await link.send(waiting.pop(), timeout_s=ANSWER_TIMEOUT_S)
        elif received.ending:
            return received.ending
        if context.monotonic() >= deadline_s:
            return "timeout"
    return ""


def write_hello(params: Mapping[str, Any], source: random.Random) -> bytes:
    """The bytes of the hello that the parameters of a task describe. Raises HelloError."""
    version: TlsVersion = params["version"]
    suites = tuple(params["suites"])
    if version == "SSLv2":
        return write_ssl2_hello(source.randbytes(16), suites)
    control, confirm = params["step"] == "control", params["step"] == "confirm"
    tls13 = version == "TLSv1.3"
    # SSL 3.0 has no extensions; the confirming hello carries them all the same, for servers that want a name.
    extended = version != "SSLv3" or confirm
    shares = (KeyShare(29, source.randbytes(32)), KeyShare(23, _P256_BASE_POINT)) if tls13 and confirm else None
    return write_client_hello(
        ClientHello(
            version=n.VERSION_NUMBERS[version],
            suites=suites if extended else (*suites, n.SCSV_RENEGOTIATION),
            random=source.randbytes(32),
            server_name=params.get("sni"),
            groups=groups_for(params),
            supported_versions=_CONTROL_VERSIONS if control else (),
            key_shares=shares,
            session_id=source.randbytes(32) if tls13 else b"",
            extended=extended,
        )
    )


def groups_for(params: Mapping[str, Any]) -> tuple[int, ...]:
    """The groups that the hello of a task offers."""
    if params["step"] == "control":
        return _CONTROL_GROUPS
    if params["step"] == "control-plain":
        return n.GROUPS_TLS12[:4]
    if params["version"] == "TLSv1.3":
        return n.GROUPS_TLS13
    return () if params["version"] in ("SSLv2", "SSLv3") else n.GROUPS_TLS12


def _describe(params: Mapping[str, Any], size_bytes: int) -> TlsHelloSent:
    named = params["version"] != "SSLv2" and (params["version"] != "SSLv3" or params["step"] == "confirm")
    return TlsHelloSent(
        version=params["version"],
        suites=tuple(params["suites"]),
        groups=groups_for(params),
        sni=params.get("sni") if named else None,
        size_bytes=size_bytes,
    )


def _fact(sent: TlsHelloSent, reply: Reply, ending: str, elapsed_ms: float, known: frozenset[str]) -> TlsReply:
    hello = reply.hello
    version = n.VERSION_NAMES.get(hello.version) if hello else None
    if reply.kind == "ssl2-hello":
        version = "SSLv2" if reply.ssl2_version == n.VERSION_NUMBERS["SSLv2"] else None
    chain = () if chain_digest(reply.certificates) in known else reply.certificates
    return TlsReply(
        hello=sent,
        outcome=_outcome(reply, ending),
        version=version,
        suite=hello.suite if hello else None,
        suites=reply.ssl2_kinds,
        compression=hello.compression if hello else None,
        extensions=hello.extensions if hello else (),
        alpn=hello.alpn if hello else None,
        group=reply.group,
        dh_bits=reply.dh_bits,
        signature_scheme=reply.signature_scheme,
        alert_level=reply.alert_level,
        alert_description=reply.alert_description,
        client_certificate_requested=reply.client_certificate_requested,
        stapled=reply.stapled,
        chain_der_b64=tuple(base64.b64encode(der).decode("ascii") for der in chain),
        first_bytes_hex=reply.preview.hex(),
        elapsed_ms=round(elapsed_ms, 3),
    )


def _outcome(reply: Reply, ending: str) -> TlsOutcome:
    """What the answer was. A warning alone followed by silence is silence, not an answer."""
    if reply.kind in ("server-hello", "ssl2-hello"):
        return "server-hello"
    if reply.kind == "hello-retry":
        return "hello-retry"
    if reply.kind == "alert" and (ending != "timeout" or reply.alert_level == 2):
        return "alert"
    if reply.kind in ("not-tls", "ssl2-error"):
        return "not-tls"
    if ending == "closed":
        return "closed"
    return "reset" if ending == "reset" else "timeout"


def chain_digest(certificates: tuple[bytes, ...]) -> str:
    """A short name for a chain as sent, to keep each different one once."""
    return hashlib.sha256(b"".join(certificates)).hexdigest()[:16]


def chain_digest_of(fact: Fact) -> tuple[str, ...]:
    """The digest of the chain that a fact of a hello keeps; empty when it keeps none."""
    if fact.kind != "tls-hello" or not fact.chain_der_b64:
        return ()
    return (chain_digest(tuple(base64.b64decode(der) for der in fact.chain_der_b64)),)

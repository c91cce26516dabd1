"""Which of the guide's ports get out of this network, tried against a control host that the operator names.

With a witness on the control host, an answer under the code proves the way. Without one, a reset or "port
unreachable" of the host itself does: it must be a machine without a firewall that answers so on every port.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from flexiscan.errors import UsageError
from flexiscan.model.endpoint import Family, Transport, family_of
from flexiscan.model.target import Rates
from flexiscan.model.witness_message import (
    ANSWER_BYTES,
    CONTROL_PORT,
    WitnessKeys,
    WitnessMessageError,
    build_question,
    read_answer,
    witness_keys,
    witness_nonce,
)
from flexiscan.net.clock import Clock
from flexiscan.net.link import CannotLook, Datagram, NotConnected
from flexiscan.net.pace import Pace
from flexiscan.net.task_context import TaskContext
from flexiscan.net.wall import ScopeWall
from flexiscan.policy.profile import load_profile

UDP_WAITS_S: Final = (0.6, 1.2, 1.2)
CONNECT_TIMEOUT_S: Final = 4.5
RANGE_SAMPLE: Final = 16
_REPORT: Final = b"\x80\xc9\x00\x01"
"""Start of an empty RTCP receiver report: harmless where anybody should listen."""

BlindSpan = tuple[Family, Transport, int, int]
Fate = Literal["witness", "host", "other", "lost", "unsent"]
"""Answered under the code; by the host itself; by somebody else; not at all or refused on the way; not sent."""
Line = tuple[str, Literal["ok", "limited", "failed"], str, str, str]


@dataclass(frozen=True, slots=True)
class ControlHost:
    """A machine of the operator, outside."""

    address: str
    code: str | None = field(default=None, repr=False)


async def check_egress(control: ControlHost, wall: ScopeWall, clock: Clock) -> tuple[list[Line], tuple[BlindSpan, ...]]:
    """Try every port of the guide. Raises UsageError for a code that is too short."""
    try:
        keys = None if control.code is None else witness_keys(control.code)
    except ValueError as error:
        raise UsageError(f"--witness: {error}") from error
    pace = Pace(Rates(), clock)
    run_id = f"doctor-{secrets.token_hex(8)}"
    context = TaskContext(run_id, "flexiscan doctor", random.Random(run_id), clock, pace, wall, control.address)
    try:
        trial = _Trial(context, control.address, keys)
        fates = {("tcp", port): fate for port, fate in await trial.tcp(_ports("tcp"))}
        fates |= {("udp", port): fate for port, fate in await trial.udp(_ports("udp"))}
    finally:
        await pace.aclose()
    lines: list[Line] = []
    blind: list[BlindSpan] = []
    for transport in ("tcp", "udp"):
        found = {port: fate for (one, port), fate in fates.items() if one == transport}
        line, lost = _read(control.address, transport, found)
        lines.append(line)
        blind += lost
    return lines, tuple(blind)


def _ports(transport: Transport) -> list[int]:
    """The single ports of the guide, the witness's control port, and a sample of every range."""
    ports = {CONTROL_PORT}
    for row in load_profile().ports:
        if row.transport == transport:
            last = row.last_port or row.port
            step = max(1, (last - row.port) // (RANGE_SAMPLE - 1))
            ports.update((*range(row.port, last + 1, step), last))
    return sorted(ports)


@dataclass(frozen=True, slots=True)
class _Trial:
    context: TaskContext
    address: str
    keys: WitnessKeys | None

    async def tcp(self, ports: Iterable[int]) -> list[tuple[int, Fate]]:
        return list(await asyncio.gather(*(self._tcp(port) for port in ports)))

    async def udp(self, ports: Iterable[int]) -> list[tuple[int, Fate]]:
        """One after the other without a witness: hosts send few ICMP errors a second."""
        if self.keys is not None:
            return list(await asyncio.gather(*(self._udp(port) for port in ports)))
        return [await self._udp(port) for port in ports]

    def _question(self, transport: Transport, port: int, number: int) -> tuple[bytes, bytes]:
        if self.keys is None:
            return b"", _REPORT + secrets.token_bytes(4)
        nonce = witness_nonce(self.keys, self.context.run_id, transport, self.address, port, number)
        return nonce, build_question(self.keys, transport, port, nonce)

    def _is_answer(self, transport: Transport, nonce: bytes, data: bytes) -> bool:
        try:
            return self.keys is not None and read_answer(self.keys, transport, nonce, data).unix_ms > 0
        except WitnessMessageError:
            return False

    async def _tcp(self, port: int) -> tuple[int, Fate]:
        try:
            link = await self.context.connect(self.address, port, timeout_s=CONNECT_TIMEOUT_S)
            if isinstance(link, NotConnected):
                return port, "host" if link.outcome == "reset" else "lost"
            async with link:
                if self.keys is None:
                    return port, "host"
                nonce, question = self._question("tcp", port, 0)
                await link.send(question, timeout_s=CONNECT_TIMEOUT_S)
                received = await link.receive(max_bytes=ANSWER_BYTES, timeout_s=CONNECT_TIMEOUT_S)
                return port, "witness" if self._is_answer("tcp", nonce, received.data) else "other"
        except CannotLook:
            return port, "unsent"

    async def _udp(self, port: int) -> tuple[int, Fate]:
        try:
            async with self.context.datagrams(self.address) as link:
                for number, wait_s in enumerate(UDP_WAITS_S):
                    nonce, question = self._question("udp", port, number)
                    await link.send(question, port=port)
                    event = await link.next(timeout_s=wait_s)
                    if isinstance(event, Datagram):
                        return port, "witness" if self._is_answer("udp", nonce, event.data) else "other"
                    if event is not None:
                        is_host = event.icmp.meaning == "port-unreachable" and event.icmp.offender == self.address
                        return port, "host" if is_host else "lost"
        except CannotLook:
            return port, "unsent"
        return port, "lost"


def _read(address: str, transport: Transport, fates: dict[int, Fate]) -> tuple[Line, list[BlindSpan]]:
    """One line for a transport, and the ports that provably do not get out."""
    name = f"ways out, {transport.upper()}"
    reached = [port for port, fate in fates.items() if fate in ("witness", "host")]
    lost = sorted(port for port, fate in fates.items() if fate in ("lost", "unsent"))
    other = sorted(port for port, fate in fates.items() if fate == "other")
    if not reached:
        means = "nothing can be said about the ports that get out of this network"
        return (name, "failed", f"{address} answers on no port", means, "check the control host and its firewall"), []
    blind = [(family_of(address), transport, first, last) for first, last in _spans(transport, fates, lost)]
    if blind:
        shown = ", ".join(str(first) if first == last else f"{first}-{last}" for _, _, first, last in blind)
        means = "with --vantage, verdicts that rest on silence of these ports are inconclusive: vantage-blind"
        return (name, "failed", f"no way out on {shown}", means, "scan from a network that lets them out"), blind
    if other:
        means = "somebody in between may answer for others: an open port there may not be the server's"
        return (name, "limited", f"not the witness answered on {', '.join(map(str, other))}", means, ""), []
    return (name, "ok", f"all {len(reached)} ports that were tried reach {address}", "", ""), []


def _spans(transport: Transport, fates: dict[int, Fate], lost: list[int]) -> list[tuple[int, int]]:
    """Lost ports; a range of which all tried ports are lost, as a whole."""
    spans: list[tuple[int, int]] = []
    rest = {port for port in lost if port != CONTROL_PORT}
    for row in load_profile().ports:
        if row.transport == transport and row.last_port is not None:
            tried = {port for port in fates if row.port <= port <= row.last_port} - _singles(transport)
            if tried and tried <= rest:
                spans.append((row.port, row.last_port))
                rest -= tried
    return sorted([*spans, *((port, port) for port in rest)])


def _singles(transport: Transport) -> set[int]:
    return {row.port for row in load_profile().ports if row.transport == transport and row.last_port is None}

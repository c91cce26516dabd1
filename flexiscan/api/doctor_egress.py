"""Which of the guide's ports get out of this network, tried against a control host that the operator names.

With a witness on the control host, an answer under the code proves the way, and nothing else does. Without one, a
reset or "port unreachable" in the name of the host is a sign and no proof: who stops packets here can send it as well.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
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
from flexiscan.net.link import CannotLook, Datagram, NotConnected, Refusal
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
"""Answered under the code; in the name of the host; by somebody else; not at all or refused on the way; not sent."""
Line = tuple[str, Literal["ok", "limited", "failed"], str, str, str]
MAX_CLOCK_DIFFERENCE_S: Final = 60.0
"""Time windows are agreed in minutes; certificates and signatures need less."""


@dataclass(frozen=True, slots=True)
class ControlHost:
    """A machine of the operator, outside."""

    address: str
    code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Egress:
    """What the trials showed: lines to tell, ports that do not get out, and ports that provably do."""

    lines: tuple[Line, ...]
    blind: tuple[BlindSpan, ...]
    reached: tuple[BlindSpan, ...]


async def check_egress(control: ControlHost, wall: ScopeWall, clock: Clock) -> Egress:
    """Try every port of the guide. Raises UsageError for a code that could be guessed."""
    try:
        keys = None if control.code is None else witness_keys(control.code)
    except ValueError as error:
        raise UsageError(f"--witness: {error}") from error
    pace = Pace(Rates(), clock)
    run_id = f"doctor-{secrets.token_hex(8)}"
    context = TaskContext(run_id, "flexiscan doctor", random.Random(run_id), clock, pace, wall, control.address)
    trial = _Trial(context, control.address, keys)
    try:
        fates: dict[Transport, dict[int, Fate]] = {
            "tcp": dict(await trial.tcp(_ports("tcp"))),
            "udp": dict(await trial.udp(_ports("udp"))),
        }
    finally:
        await pace.aclose()
    lines: list[Line] = []
    blind: list[BlindSpan] = []
    reached: list[BlindSpan] = []
    family = family_of(control.address)
    for transport, found in fates.items():
        line, lost = read_fates(control.address, transport, found, by_witness=keys is not None)
        lines.append(line)
        blind += lost
        proven = [port for port, fate in found.items() if fate == "witness"]
        reached += [(family, transport, first, last) for first, last in _spans(transport, found, proven)]
    return Egress((*lines, *read_clock(control.address, trial.ahead_s)), tuple(blind), tuple(reached))


def read_clock(address: str, ahead_s: Sequence[float]) -> list[Line]:
    """The clock of the control host against ours, seconds ahead as each answer showed it."""
    if not ahead_s:
        return []
    difference_s = median(ahead_s)
    seen = f"{abs(difference_s):.1f} s {'behind' if difference_s > 0 else 'ahead of'} the one of {address}"
    if abs(difference_s) <= MAX_CLOCK_DIFFERENCE_S:
        return [("clock", "ok", seen, "", "")]
    means = "one of the two is wrong; time windows and verdicts about certificates need the right time"
    return [("clock", "failed", seen, means, "set the clock here or there")]


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
    ahead_s: list[float] = field(default_factory=list)
    """How far the clock of the witness was ahead of ours, by each of its answers."""

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

    def _fate(self, transport: Transport, nonce: bytes, data: bytes) -> Fate:
        """Who said this: the witness, or somebody else?"""
        if self.keys is None:
            return "other"
        try:
            answer = read_answer(self.keys, transport, nonce, data)
        except WitnessMessageError:
            return "other"
        self.ahead_s.append(answer.unix_ms / 1000 - self.context.clock.now().timestamp())
        return "witness"

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
                return port, self._fate("tcp", nonce, received.data)
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
                        return port, self._fate("udp", nonce, event.data)
                    if isinstance(event, Refusal):
                        return port, "lost"
                    if event is not None:
                        is_host = event.icmp.meaning == "port-unreachable" and event.icmp.offender == self.address
                        return port, "host" if is_host else "lost"
        except CannotLook:
            return port, "unsent"
        return port, "lost"


def read_fates(
    address: str, transport: Transport, fates: Mapping[int, Fate], *, by_witness: bool
) -> tuple[Line, list[BlindSpan]]:
    """One line for a transport, and the ports that do not get out, as far as anybody can tell.

    `by_witness`: there is one on the control host, which would have answered: a refusal in the host's name is none.
    """
    name = f"ways out, {'IPv6' if ':' in address else 'IPv4'} {transport.upper()}"
    signs = ("witness",) if by_witness else ("witness", "host")
    reached = [port for port, fate in fates.items() if fate in signs]
    lost = sorted(port for port, fate in fates.items() if fate not in signs and fate != "other")
    other = sorted(port for port, fate in fates.items() if fate == "other")
    if not reached:
        means = "nothing can be said about the ports that get out of this network"
        return (name, "failed", f"{address} answers on no port", means, "check the control host and its firewall"), []
    blind = [(family_of(address), transport, first, last) for first, last in _spans(transport, fates, lost)]
    if blind:
        means = "with --vantage, verdicts that rest on silence or refusal of these ports are inconclusive"
        next_step = "scan from a network that lets them out"
        if by_witness and any(fates[port] == "host" for port in lost):
            next_step += "; or the witness could not have them: run it as root, on a machine that uses none of them"
        return (name, "failed", f"no way out on {_shown(blind)}", means, next_step), blind
    if other:
        means = "somebody in between may answer for others: an open port there may not be the server's"
        return (name, "limited", f"not the witness answered on {', '.join(map(str, other))}", means, ""), []
    if not by_witness:
        means = "who stops packets here could have refused in its name: a sign, no proof"
        seen = f"all {len(reached)} ports that were tried are answered in the name of {address}"
        return (name, "limited", seen, means, "run a witness there: --witness CODE"), []
    return (name, "ok", f"all {len(reached)} ports that were tried reach {address}", "", ""), []


def _shown(spans: Iterable[BlindSpan]) -> str:
    return ", ".join(str(first) if first == last else f"{first}-{last}" for _, _, first, last in spans)


def _spans(transport: Transport, fates: Mapping[int, Fate], ports: Iterable[int]) -> list[tuple[int, int]]:
    """These ports; a range of which all tried ports are among them, as a whole."""
    spans: list[tuple[int, int]] = []
    rest = {port for port in ports if port != CONTROL_PORT}
    for row in load_profile().ports:
        if row.transport == transport and row.last_port is not None:
            tried = {port for port in fates if row.port <= port <= row.last_port} - _singles(transport)
            if tried and tried <= rest:
                spans.append((row.port, row.last_port))
                rest -= tried
    return sorted([*spans, *((port, port) for port in rest)])


def _singles(transport: Transport) -> set[int]:
    return {row.port for row in load_profile().ports if row.transport == transport and row.last_port is None}

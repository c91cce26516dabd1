"""RTP bleed: does a media port send a call's voice to whoever sends it a few voice packets? Only in an agreed call.

Asked for with `--intrusive rtp-bleed`. A call that is redirected stays so until its own party talks or it is hung up:
never on a call that nobody agreed to. Headers are counted, content is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from flexiscan.model.facts import BleedTrial, RtpSweep, VoiceStream
from flexiscan.model.icmp import IcmpError
from flexiscan.model.plan import Task
from flexiscan.sdk import CannotLook, Context, Datagram, DatagramPort, Draft, IcmpNotice, PlanView, ProbeSpec, Refusal
from flexiscan_probes.wire import rtcp, rtp

ROLE: Final = "rtp-bleed"
ROUND: Final = 3
"""After the sweep: media that came by itself makes the test needless."""
PACKETS: Final = 5
"""More than the four in a row that Asterisk's strict RTP wants by default (res_rtp_asterisk.c)."""
LISTEN_S: Final = 2.0
ENOUGH_PACKETS: Final = 25
"""Half a second of voice: number, order and pace are then known, and more would only be somebody's words."""
_MOST_STREAMS: Final = 8
_SPARE_S: Final = 30.0


def plan(view: PlanView) -> Iterable[Draft]:
    """One trial for each agreed port of each agreed address, one after the other."""
    call = view.target.test_call
    if view.round != ROUND or call is None or "rtp-bleed" not in view.options.get("intrusive", ()):
        return []
    began, began_s = view.options["run_clock"]
    until_s = began_s + (call.until - began).total_seconds()
    addresses = [entry.address for entry in view.addresses if entry.address in call.addresses]
    return [
        Draft(
            role=ROLE,
            name="trial",
            address=address,
            transport="udp",
            port=port,
            params={"until_s": until_s},
            lane=f"{ROLE}/{address}",
            gate="udp",
            datagrams=PACKETS,
            silence_s=(PACKETS - 1) * rtp.PACKET_S + LISTEN_S,
            deadline_s=LISTEN_S + _SPARE_S,
        )
        for address in addresses
        if not _media_came(view, address)
        for port in call.ports
    ]


def _media_came(view: PlanView, address: str) -> bool:
    return any(
        isinstance(observation.outcome, RtpSweep)
        and observation.outcome.media
        and view.tasks[task_id].address == address
        for task_id, observation in view.seen.items()
    )


@dataclass(slots=True)
class _Stream:
    """What came of one source and payload type."""

    last_sequence: int
    first_at_s: float
    last_at_s: float
    packets: int = 1
    rising: int = 0

    def add(self, sequence: int, at_s: float) -> None:
        self.packets += 1
        self.rising += rtp.is_next(self.last_sequence, sequence)
        self.last_sequence, self.last_at_s = sequence, at_s

    @property
    def mean_gap_ms(self) -> float | None:
        if self.packets < 2:
            return None
        return round(1000 * (self.last_at_s - self.first_at_s) / (self.packets - 1), 1)


@dataclass(slots=True)
class _Trial:
    """One port while it is tried."""

    ctx: Context
    link: DatagramPort
    port: int
    ssrc: int
    sent: int = 0
    streams: dict[tuple[int, int], _Stream] = field(default_factory=dict)
    rtcp_packets: int = 0
    other_packets: int = 0
    icmp: IcmpError | None = None

    @property
    def heard(self) -> int:
        """Voice packets so far."""
        return sum(stream.packets for stream in self.streams.values())

    async def carry_out(self, until_s: float) -> None:
        """Send and listen. Raises CannotLook when the time that was agreed on is over before the first packet."""
        first_sequence, first_timestamp = self.ctx.random.getrandbits(16), self.ctx.random.getrandbits(32)
        began_s = self.ctx.monotonic()
        while self.sent < PACKETS and not self.heard and self.icmp is None:
            if self.ctx.monotonic() >= until_s:
                break
            packet = rtp.build_silence(
                self.sent, first_sequence=first_sequence, first_timestamp=first_timestamp, ssrc=self.ssrc
            )
            await self.link.send(packet, port=self.port)
            self.sent += 1
            await self.listen(began_s + self.sent * rtp.PACKET_S)
        if not self.sent:
            raise CannotLook("outside-window", "the time agreed on for the test call is over")
        await self.listen(self.ctx.monotonic() + LISTEN_S)

    async def listen(self, ends_s: float) -> None:
        """Note what comes until then; enough voice or an ICMP error ends it early."""
        while self.heard < ENOUGH_PACKETS and self.icmp is None:
            event = await self.link.next(timeout_s=max(0.0, ends_s - self.ctx.monotonic()))
            if event is None:
                return
            self._note(event)

    def _note(self, event: Datagram | IcmpNotice | Refusal) -> None:
        if isinstance(event, Refusal):  # by whom is not told: no sign
            return
        if isinstance(event, IcmpNotice):
            if event.to_port == self.port:
                self.icmp = event.icmp
        elif event.from_port == self.port and ip_address(event.from_address) == ip_address(self.link.address):
            self._note_packet(event)

    def _note_packet(self, event: Datagram) -> None:
        header = rtp.read_voice(event.data)
        if header is None:
            known = rtcp.read_header(event.data)
            self.rtcp_packets += known is not None
            self.other_packets += known is None
        elif header.ssrc == self.ssrc:  # our own packet, echoed
            self.other_packets += 1
        elif (key := (header.ssrc, header.payload_type)) in self.streams:
            self.streams[key].add(header.sequence, event.at_s)
        elif len(self.streams) < _MOST_STREAMS:
            self.streams[key] = _Stream(header.sequence, event.at_s, event.at_s)
        else:
            self.other_packets += 1


async def observe(ctx: Context, task: Task) -> BleedTrial:
    """At most five packets of silence, 20 ms apart and none after the first voice; then two seconds of listening."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} names no address and port")
    async with ctx.datagrams(task.address) as link:
        trial = _Trial(ctx, link, task.port, ctx.random.getrandbits(32))
        began_s = ctx.monotonic()
        await trial.carry_out(float(task.params["until_s"]))
        return BleedTrial(
            sent=trial.sent,
            ssrc=trial.ssrc,
            waited_s=ctx.monotonic() - began_s,
            streams=tuple(_as_seen(*key, stream) for key, stream in trial.streams.items()),
            rtcp_packets=trial.rtcp_packets,
            other_packets=trial.other_packets,
            icmp=trial.icmp,
            stopped="enough-heard" if trial.heard >= ENOUGH_PACKETS else "",
        )


def _as_seen(ssrc: int, payload_type: int, stream: _Stream) -> VoiceStream:
    return VoiceStream(
        ssrc=ssrc,
        payload_type=payload_type,
        packets=stream.packets,
        rising=stream.rising,
        mean_gap_ms=stream.mean_gap_ms,
    )


SPEC: Final = ProbeSpec(id="rtp.bleed", version=1, plan=plan, observe=observe)

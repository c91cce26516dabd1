"""What only raw sockets show: half-open connects, headers of answers, ICMP errors with what they quote."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flexiscan.model.base import Frozen
from flexiscan.model.icmp import IcmpError

MAX_ANSWERS = 8
"""Answers to one SYN that are kept; a second kind of answer is evidence of somebody in between."""
MAX_ICMP_NOTES = 256
"""Distinct ICMP errors about one address that are kept; the rest is counted."""

HalfOpenState = Literal["accepted", "reset", "icmp", "silence", "mixed"]


class QuotedPacket(Frozen):
    """The header of our packet as an ICMP error brought it back: changed on the way where routers changed it."""

    transport: Literal["tcp", "udp", "other"]
    source_port: int | None = None
    port: int | None = None
    hop_limit: int
    """What was left of the hop limit when the packet was refused."""
    ip_id: int | None = None
    """None in IPv6, which has none."""
    length_bytes: int
    """As the quoted header says, not as much as was quoted."""


class SynAnswer(Frozen):
    """One packet that answered a SYN."""

    answer: Literal["accepted", "reset", "icmp"]
    hop_limit: int
    """TTL or hop limit as it arrived."""
    ip_id: int | None = None
    window: int | None = None
    options: tuple[str, ...] = ()
    """TCP options in their order, such as "MSS=1460", "SAckOK", "WScale=7"."""
    after_s: float = Field(ge=0)
    """Since the SYN before it."""
    icmp: IcmpError | None = None
    quoted: QuotedPacket | None = None


class SynProbe(Frozen):
    """SYNs to one port without a connection: what answered, with the headers of the answer."""

    kind: Literal["syn-probe"] = "syn-probe"
    answers: tuple[SynAnswer, ...] = ()
    """In order of arrival."""
    tries: int = 1
    waited_s: float = 0.0
    """How long was listened after the first SYN."""

    @property
    def state(self) -> HalfOpenState:
        """What the answers have in common; "mixed" when they contradict each other."""
        kinds = {answer.answer for answer in self.answers}
        if not kinds:
            return "silence"
        return "mixed" if len(kinds) > 1 else self.answers[0].answer


class IcmpNote(Frozen):
    """ICMP errors that came alike: the first of them, and how many there were."""

    icmp: IcmpError
    quoted: QuotedPacket
    count: int = 1


class IcmpCapture(Frozen):
    """Every ICMP error that quoted a packet to one address during the run."""

    kind: Literal["icmp-capture"] = "icmp-capture"
    notes: tuple[IcmpNote, ...] = ()
    left_out: int = 0
    """Errors that were counted but not kept."""


class PacketCapture(Frozen):
    """The file beside the record with every packet to and from the addresses in scope."""

    file: str
    packets: int = 0
    size_bytes: int = 0
    lost: int = 0
    """Packets that the kernel could not hand over in time."""
    left_out: int = 0
    """Packets that were not written: the file had reached its size, or the packet could not be read."""
    is_capped: bool = False
    """The file reached its largest size; what came after it is only counted."""
    is_whole: bool = False
    """The capture was ended in good order. False: the file ends where the run was cut short."""

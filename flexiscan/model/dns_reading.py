"""What one DNS reply says about the type that was asked for.

An absence counts only when a server that answers says so: NXDOMAIN, or NOERROR without records (NODATA, RFC 2308
section 2). A referral, an answer of other records only, or a chain not followed to its end is no absence. A server
that strips a type answers like one where it is absent, but cannot add the zone's SOA to it: where the SOA is missing,
and the same server gives it for another type of the same name, the absence is doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from flexiscan.model.dns_answer import AnswerPath, answer_path, canonical_name, is_filtered
from flexiscan.model.endpoint import Family
from flexiscan.model.facts_dns import DnsReply

ReadingKind = Literal[
    "addresses",
    "alias",  # asked for the alias itself: there is one
    "absent",  # the name is there, this type is not
    "name-unknown",  # NXDOMAIN for the name asked
    "target-unknown",  # NXDOMAIN for the end of its alias chain (RFC 6604)
    "contradictory",  # NXDOMAIN together with addresses
    "filtered",  # the resolver says that it put its own answer in the place of the name's
    "doubtful",  # an absence without the SOA, from a server that gives the SOA otherwise
    "incomplete",  # no answer to the question: a referral, other records only, a chain not followed
    "failed",  # SERVFAIL, REFUSED and the like
    "garbage",
    "silent",
]
ABSENCES: frozenset[ReadingKind] = frozenset({"absent", "name-unknown", "target-unknown"})

CONTROL_TYPE = "SOA"
"""What a server is asked for, for the same name, when it says "none" without proof."""

RDTYPE_OF: dict[Family, str] = {"ipv4": "A", "ipv6": "AAAA"}


@dataclass(frozen=True, slots=True)
class ReplyReading:
    """What a reply says. `proven`: an absence that came with the zone's SOA (RFC 2308 2.1, 2.2), or a loop."""

    kind: ReadingKind
    path: AnswerPath
    proven: bool = False

    @property
    def definite(self) -> bool:
        """Whether it says that there are addresses, or that there are none."""
        return self.kind == "addresses" or self.kind in ABSENCES


def read_reply(reply: DnsReply, others: Sequence[DnsReply] = ()) -> ReplyReading:
    """What one reply says, in the light of the other replies of the same server."""
    read = _read(reply)
    if read.kind in ABSENCES and not read.proven and any(_is_control_of(other, reply) for other in others):
        return replace(read, kind="doubtful")
    return read


def _read(reply: DnsReply) -> ReplyReading:
    path = answer_path(reply)
    if reply.outcome == "answer":
        return _read_answer(reply, path)
    # Where something came, but never the answer, that is not silence.
    garbage = reply.outcome == "malformed" or reply.discarded > 0
    return ReplyReading("garbage" if garbage else "silent", path)


def families_known(host: str, replies: Sequence[DnsReply]) -> dict[Family, bool]:
    """For which families a server gave a definite answer about the host, be it "none"."""
    name = canonical_name(host)
    asked = [reply for reply in replies if canonical_name(reply.name) == name]
    known = {reply.rdtype for reply in asked if read_reply(reply, asked).definite}
    return {family: rdtype in known for family, rdtype in RDTYPE_OF.items()}


def _is_control_of(control: DnsReply, reply: DnsReply) -> bool:
    """Whether it shows that the same server does give the SOA of the name's zone."""
    same = control.server == reply.server and canonical_name(control.name) == canonical_name(reply.name)
    if not same or control.rdtype != CONTROL_TYPE:
        return False
    in_answer = any(record.rdtype == "SOA" for record in control.records)
    return in_answer or _start_of_authority(control, answer_path(control).end) == "above"


def _read_answer(reply: DnsReply, path: AnswerPath) -> ReplyReading:
    if is_filtered(reply):
        return ReplyReading("filtered", path)
    if reply.rcode == "NXDOMAIN":
        return _read_name_error(reply, path)
    if reply.rcode != "NOERROR":
        return ReplyReading("failed", path)
    if "tc" in reply.flags:
        return ReplyReading("incomplete", path)
    if path.addresses:
        return ReplyReading("addresses", path)
    if reply.rdtype == "CNAME" and path.links and not path.loops:
        return ReplyReading("alias", path)
    return _read_no_data(reply, path)


def _read_name_error(reply: DnsReply, path: AnswerPath) -> ReplyReading:
    if path.addresses:
        return ReplyReading("contradictory", path)
    if not _may_deny(reply):
        return ReplyReading("incomplete", path)
    kind: ReadingKind = "target-unknown" if path.links else "name-unknown"
    return ReplyReading(kind, path, _start_of_authority(reply, path.end) == "above")


def _read_no_data(reply: DnsReply, path: AnswerPath) -> ReplyReading:
    if path.loops:
        return ReplyReading("absent", path, proven=True)  # nobody gets out of a loop, whatever else the reply holds
    if not _may_deny(reply) or _holds_other_records(reply, path):
        return ReplyReading("incomplete", path)
    authority = _start_of_authority(reply, path.end)
    if authority == "above":
        return ReplyReading("absent", path, proven=True)
    referral = any(record.rdtype == "NS" for record in reply.authority)
    followed = not path.links or "ra" in reply.flags
    doubtful = authority == "elsewhere" or referral or not followed
    return ReplyReading("incomplete" if doubtful else "absent", path)


def _may_deny(reply: DnsReply) -> bool:
    """Only an authority or a recursive resolver can say that something does not exist."""
    return "aa" in reply.flags or "ra" in reply.flags


def _holds_other_records(reply: DnsReply, path: AnswerPath) -> bool:
    """Whether the answer section holds anything but the alias chain and what comes with it (DNAME, signatures)."""
    along = {"CNAME", "DNAME", "RRSIG"} if path.links else {"RRSIG"}
    return any(record.rdtype not in along for record in reply.records)


def _start_of_authority(reply: DnsReply, name: str) -> Literal["", "above", "elsewhere"]:
    """Where the zone of the SOA in the authority section stands: above the name (or at it), elsewhere, or none."""
    zones = [canonical_name(record.name) for record in reply.authority if record.rdtype == "SOA"]
    if not zones:
        return ""
    return "above" if any(_is_at_or_below(name, zone) for zone in zones) else "elsewhere"


def _is_at_or_below(name: str, zone: str) -> bool:
    return zone == "." or name == zone or name.endswith("." + zone)

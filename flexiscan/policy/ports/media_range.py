"""What a sweep over the media range showed at one address (DESIGN 5: the rows about the RTP range).

Media ports are open only during calls and answer nobody. So a port unreachable from the server itself means that
the perimeter lets packets through, and silence alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from flexiscan.model.facts import IcmpTally, MediaSeen, RtpSweep, SweepPort, TcpPath
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import reply_distance, server_reply_distance
from flexiscan.policy.ports.coverage import CONFIDENCE, exposed_bound
from flexiscan.policy.ports.end_of_way import end_of_range
from flexiscan.policy.ports.own_sources import silence_tells, told_of_sources
from flexiscan.policy.ports.reading import (
    PortReading,
    icmp_params,
    is_of_this_side,
    is_rejection,
    same_address,
)
from flexiscan.policy.rule import Outcome, Seen

RANGE_RESULTS: Final[Mapping[str, Outcome]] = {
    "media-redirectable": "violated",
    "media-received": "violated",
    "reports-received": "violated",
    "open": "violated",
    "perimeter-passes": "violated",
    "open-or-filtered": "violated",
    "filtered": "holds",
    "no-exposure-seen": "cannot-tell",
    "everything-answers": "cannot-tell",
    "canaries-disagree": "cannot-tell",
    "path-error": "cannot-tell",
    "send-refused": "cannot-tell",
    "sources-lost": "cannot-tell",
    "limited-vantage": "cannot-tell",
    "not-looked-at": "cannot-tell",
}

FEW_SILENT: Final = 0.1
"""Share of the sample up to which silent ports among rejected ones count as holes, not as an ICMP limit."""
TRIES_FOR_A_HOLE: Final = 8
"""Of 10,001 ports that are all rejected, less than one in a hundred sweeps leaves one silent by chance at 10 % loss."""
TRIES_IF_UNLIMITED: Final = 3
"""From many sources, where ports that had answered did so again in between."""
_SHOWN_PORTS: Final = 20
_FIRST_RTCP_TYPE: Final = 192
_BUSY_DATAGRAMS: Final = 50
_BUSY_SECONDS: Final = 2
_LIMITED_SHARE: Final = 0.5


def read_sweep(seen: Seen, fact: RtpSweep, paths: Sequence[Seen] = ()) -> PortReading:
    """The state of the range. The worst sign wins; a pass needs a sign of rejection for every port that was asked.

    `paths`: the way to the web port of the address, which tells how far away the server is.
    """
    reading = _read_sweep(seen, fact, paths)
    if fact.own_sources is None or fact.own_sources.state == "not-needed":
        return reading
    return told_of_sources(reading, fact.own_sources)


def _read_sweep(seen: Seen, fact: RtpSweep, paths: Sequence[Seen]) -> PortReading:
    params = _coverage(fact)
    address = str(seen.task.address)
    if fact.media:
        voice = [media for media in fact.media if not is_report(media)]
        result = "media-received" if voice else "reports-received"
        return _found(result, seen, params | {"media": [media.model_dump() for media in fact.media]})
    if fact.data_ports:
        strange = sum(canary.reply == "data" for canary in fact.canaries) > 1
        shown = params | {"ports": list(fact.data_ports[:_SHOWN_PORTS])}
        return _found("everything-answers" if strange else "open", seen, shown)
    if fact.refused_ports or any(canary.reply == "refused" for canary in fact.canaries):
        # The server itself (packets pass) or a firewall that rejects (they do not): docs/design/010.
        shown = params | {"refused": len(fact.refused_ports)}
        return PortReading("limited-vantage", (seen,), "tentative", shown)
    in_its_name = [tally for tally in fact.icmp if _is_from_target(tally, address)]
    by_edge = answers_everywhere(fact, paths)
    passing = [tally for tally in in_its_name if not by_edge or who_answers(tally.icmp, paths) != "edge"]
    if passing:
        shown = params | icmp_params(passing[0].icmp) | _ports([p for tally in passing for p in tally.ports])
        # Without a known distance a device at the edge that owns the address would look alike.
        known = any(who_answers(tally.icmp, paths) == "server" for tally in passing)
        return PortReading("perimeter-passes", (seen, *paths), "firm" if known else "tentative", shown)
    end = end_of_range(seen, fact)
    if end is not None and end.passes:
        return PortReading("perimeter-passes", (seen,), "firm", params | end.params)
    if fact.stopped == "send-refused":
        return PortReading("send-refused", (seen,), params=params)
    astray = [tally for tally in fact.icmp if not _rejects_before(tally.icmp, address, paths)]
    if astray:
        return PortReading("path-error", (seen,), params=params | icmp_params(astray[0].icmp))
    if fact.stopped == "decided":  # the probe took for the server what is none: the rest was not asked
        return PortReading("no-exposure-seen", (seen,), "tentative", params, rests_on_absence=True)
    if not fact.icmp:
        return _read_silent(seen, fact, params)
    because = (seen, *paths) if in_its_name else (seen,)
    return _read_rejected(because, fact, params | ({"edge_device": address} if in_its_name else {}))


def is_report(media: MediaSeen) -> bool:
    """Whether it was RTCP (RFC 5761 section 4): reports about a call and not its voice."""
    return media.payload_type is not None and media.payload_type >= _FIRST_RTCP_TYPE


def _found(result: str, seen: Seen, params: dict[str, Any]) -> PortReading:
    return PortReading(result, (seen,), "confirmed", params)


def _read_rejected(because: tuple[Seen, ...], fact: RtpSweep, params: dict[str, Any]) -> PortReading:
    """Something in front rejects: all of the sample, nearly all of it, or only as much as its ICMP limit allows."""
    rejected = sorted(port for tally in fact.icmp for port in tally.ports)
    population = fact.last_port - fact.first_port + 1
    shown = {**params, **icmp_params(fact.icmp[0].icmp), "rejected": len(rejected)}
    shown |= _bound(population, len(rejected))
    if is_icmp_limited(fact):
        shown["icmp_per_s"] = max(fact.errors_by_second[1:])
    if not fact.silent:
        whole = fact.ports_asked == population
        return PortReading("filtered", because, "firm" if whole else "tentative", shown)
    tells = fact.silent <= FEW_SILENT * fact.ports_asked and fact.passes >= TRIES_FOR_A_HOLE
    if fact.own_sources is not None and fact.own_sources.state == "used":
        tells = fact.own_sources.passes >= TRIES_IF_UNLIMITED and silence_tells(
            fact.own_sources, fact.silent, fact.ports_asked
        )
    if tells and _are_rejected(fact.canaries, because[0]) and _are_rejected(fact.canaries_after, because[0]):
        return PortReading("open-or-filtered", because, "tentative", shown, rests_on_absence=True)
    return PortReading("no-exposure-seen", because, "tentative", shown, rests_on_absence=True)


def is_icmp_limited(fact: RtpSweep) -> bool:
    """Whether errors came at a constant pace far below that of the datagrams: silence then says nothing at all.

    The first second is left out: limits let a burst pass.
    """
    pairs = list(zip(fact.sent_by_second, fact.errors_by_second, strict=False))[1:]
    busy = [(sent, errors) for sent, errors in pairs if sent >= _BUSY_DATAGRAMS]
    if len(busy) < _BUSY_SECONDS or not any(errors for _, errors in busy):
        return False
    return all(errors <= _LIMITED_SHARE * sent for sent, errors in busy)


def _read_silent(seen: Seen, fact: RtpSweep, params: dict[str, Any]) -> PortReading:
    """Not one port of the range answered: like the canaries, or unlike them?"""
    if not any(canary.reply != "silence" for canary in fact.canaries):
        return _read_all_silent(seen, fact, params)
    if _are_rejected(fact.canaries, seen) and _are_rejected(fact.canaries_after, seen):
        return PortReading("open-or-filtered", (seen,), "tentative", params, rests_on_absence=True)
    return PortReading("canaries-disagree", (seen,), params=params, rests_on_absence=True)


def _read_all_silent(seen: Seen, fact: RtpSweep, params: dict[str, Any]) -> PortReading:
    """Silent within the range and outside: a filter, if datagrams were seen to end before the server."""
    end = end_of_range(seen, fact)
    if end is None:
        return PortReading("no-exposure-seen", (seen,), "tentative", params, rests_on_absence=True)
    population = fact.last_port - fact.first_port + 1
    shown = params | end.params
    if fact.ports_asked == population:
        return PortReading("filtered", (seen,), "firm", shown, rests_on_absence=True)
    shown |= _bound(population, fact.ports_asked)
    return PortReading("filtered", (seen,), "tentative", shown, rests_on_absence=True)


def _bound(population: int, informative: int) -> dict[str, Any]:
    """What ports that were seen to be shut say about the others; nothing to say when there are no others."""
    bound = exposed_bound(population, informative)
    return {"bound": bound, "bound_percent": round(CONFIDENCE * 100)} if informative < population else {}


def who_answers(icmp: IcmpError, paths: Sequence[Seen]) -> Literal["server", "edge", "unknown"]:
    """Whose answer an error in the target's name is: of the server at its own distance, or of something nearer?"""
    for path in paths:
        own = server_reply_distance(path.fact) if isinstance(path.fact, TcpPath) else None
        distance = reply_distance(icmp.hop_limit)
        if own is not None and distance is not None and distance <= own:
            return "edge" if distance < own else "server"
    return "unknown"


def answers_everywhere(fact: RtpSweep, paths: Sequence[Seen]) -> bool:
    """Whether a device in front of the server answers outside the range as well.

    One that answers within the range alone may be another machine that the range is forwarded to.
    """
    errors = [canary.icmp for canary in fact.canaries if canary.icmp is not None]
    edge = [icmp for icmp in errors if icmp.meaning == "port-unreachable" and who_answers(icmp, paths) == "edge"]
    return len(edge) >= 2


def _are_rejected(canaries: Sequence[SweepPort], seen: Seen) -> bool:
    """Whether the comparison is clear: more than half of the canaries, and at least two, were rejected over there."""
    errors = [canary.icmp for canary in canaries if canary.icmp is not None and is_rejection(canary.icmp)]
    rejected = [icmp for icmp in errors if not is_of_this_side(icmp, seen.task.address)]
    return len(rejected) >= 2 and 2 * len(rejected) > len(canaries)


def _rejects_before(icmp: IcmpError, address: str, paths: Sequence[Seen]) -> bool:
    """Whether an error is a filter's refusal, from neither the scanner's own network nor another machine inside."""
    inside = icmp.meaning == "port-unreachable" and who_answers(icmp, paths) == "server"
    other = inside and not same_address(icmp.offender, address)
    return is_rejection(icmp) and not is_of_this_side(icmp, address) and not other


def _is_from_target(tally: IcmpTally, address: str) -> bool:
    return tally.icmp.meaning == "port-unreachable" and same_address(tally.icmp.offender, address)


def _ports(ports: Sequence[int]) -> dict[str, Any]:
    return {"ports": sorted(ports)[:_SHOWN_PORTS], "answering": len(ports)}


def _coverage(fact: RtpSweep) -> dict[str, Any]:
    return {
        "first_port": fact.first_port,
        "last_port": fact.last_port,
        "ports_asked": fact.ports_asked,
        "ports_total": fact.last_port - fact.first_port + 1,
        "silent": fact.silent,
        "passes": fact.passes,
        "seed": fact.seed,
    }

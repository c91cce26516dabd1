"""Batches of datagrams that may travel only so far: do they come as far as a SYN with the same hop limit does?

Routers limit their ICMP errors, Linux to one a second over IPv4, and whatever else goes through them has its part in
that. So a pause before each batch gives the allowance back; ports of interest and canaries take turns, so that a lack
of allowance meets both; and a SYN right after the last datagram shows whether any was left.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final

from flexiscan.model.facts import IcmpTally, PathGuide, PathTrial, TcpPath
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import (
    canaries_came,
    last_router,
    ports_that_expired,
    router_before_last,
    server_reply_distance,
)
from flexiscan.sdk import Context, DatagramPort, IcmpNotice, PlanView
from flexiscan_probes.tcp_path import send_guide

IDLE_S: Final = 1.1
"""Linux gives one ICMP error a second back (icmp_ratelimit 1000 ms)."""
REFILL_S: Final = {"ipv4": 6.0, "ipv6": 1.0}
"""Until Linux may send its burst of six errors again (one a second on IPv4, ten a second on IPv6)."""
ANSWER_S: Final = 0.7
GUIDE_WAIT_S: Final = 0.9
"""Less than the second after which a system repeats a SYN by itself (RFC 6298 2.1): a guide is one packet."""
GUIDE_TRIES: Final = 3
CONFIRMATIONS: Final = 5
"""How often a difference between ports and canaries has to be looked at again."""
CONFIRM_IDLE_S: Final = 2.2
SUSPECTS: Final = 4
"""At most so many ports in a confirming batch: a small allowance reaches for some of them each time."""
LEAST_CANARIES: Final = 4
REACH_TRIES: Final = 3

Listen = Callable[[float], Awaitable[Iterable[IcmpNotice]]]
"""Listen for so many seconds; the ICMP errors that came."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What the walk to the web port has shown about one address."""

    guide_port: int
    hop_limit: int
    """Ends at the last router before the server that says so."""
    server_routers: int | None
    """How many routers an answer of the server itself has passed."""
    before_hop_limit: int | None = None
    """Ends at the speaking router before that one."""

    def as_params(self) -> dict[str, int | None]:
        """As parameters of a task."""
        return asdict(self)


YARDSTICK_PARAMS: Final = tuple(field.name for field in fields(Yardstick))


def yardstick(view: PlanView, address: str) -> Yardstick | None:
    """The yardstick of an address; None where no router before its server speaks."""
    for task_id, observation in view.seen.items():
        path = observation.outcome
        if isinstance(path, TcpPath) and view.tasks[task_id].address == address:
            router = last_router(path)
            if router is not None:
                before = router_before_last(path)
                limit = None if before is None else before.hop_limit
                return Yardstick(path.port, router.hop_limit, server_reply_distance(path), limit)
    return None


def near_lane(address: str) -> str:
    """The lane of all tasks that need the allowance of the last router before an address: one after the other."""
    return f"near/{address}"


def trials_s(batches: int, idle_s: float = IDLE_S) -> float:
    """How long so many batches take at the most, in seconds, pace apart."""
    return batches * (idle_s + GUIDE_TRIES * GUIDE_WAIT_S + ANSWER_S)


@dataclass(frozen=True, slots=True)
class TrialRun:
    """What all batches of one task have in common."""

    ctx: Context
    link: DatagramPort
    listen: Listen
    payload: bytes
    hop_limit: int
    guide_port: int
    chance: random.Random
    is_over: Callable[[], bool] = lambda: False
    """Whether no more datagrams may be sent."""

    async def batch(self, ports: Collection[int], canaries: Collection[int], *, idle_s: float = IDLE_S) -> PathTrial:
        """Pause, one datagram to each port, the guide at once, listen."""
        await self.listen(idle_s)
        for port in take_turns(canaries, ports, self.chance):
            if self.is_over():
                break
            await self.link.send(self.payload, port=port, hop_limit=self.hop_limit)
        guide = await self.guide()
        asked = {*ports, *canaries}
        heard = [notice for notice in await self.listen(ANSWER_S) if notice.to_port in asked]
        icmp = {notice.to_port: notice.icmp for notice in heard if may_quote(notice.quoted, self.payload)}
        return PathTrial(
            hop_limit=self.hop_limit, ports=tuple(ports), canaries=tuple(canaries), icmp=tally(icmp), guide=guide
        )

    async def guide(self) -> PathGuide:
        """A SYN with the same hop limit, and up to two more while nothing answers."""
        tries = 0
        while True:
            tries += 1
            hop = await send_guide(self.ctx, self.link.address, self.guide_port, self.hop_limit, GUIDE_WAIT_S)
            if hop.answer != "silence" or tries >= GUIDE_TRIES:
                return PathGuide(hop_limit=hop.hop_limit, answer=hop.answer, icmp=hop.icmp, tries=tries)

    async def confirm(self, suspects: Collection[int], canaries: Sequence[int]) -> list[PathTrial]:
        """Ports that came through, against as many canaries, again and again; a canary that answers ends it."""
        trials: list[PathTrial] = []
        fresh = _endless(canaries, self.chance)
        while (
            canaries and suspects and not self.is_over() and len(trials) < CONFIRMATIONS and not canaries_came(trials)
        ):
            some = self.chance.sample(sorted(suspects), min(SUSPECTS, len(suspects)))
            others = {next(fresh) for _ in range(max(LEAST_CANARIES, len(some)))}
            trials.append(await self.batch(some, others, idle_s=CONFIRM_IDLE_S))
        return trials


async def reach_router_before(
    ctx: Context, address: str, ports: Collection[int], known: Yardstick, payload: bytes
) -> tuple[PathTrial, ...]:
    """Do datagrams come as far as the speaking router before the last one? Until all were answered, or often enough.

    Nothing else tells whether it is this side's own network that drops them. On a socket of its own, so that the
    answers are told from those of the last router.
    """
    if known.before_hop_limit is None:
        return ()
    trials: list[PathTrial] = []
    async with ctx.datagrams(address) as link:
        run = TrialRun(
            ctx,
            link,
            lambda wait_s: listen_for_errors(ctx, link, wait_s),
            payload,
            known.before_hop_limit,
            known.guide_port,
            ctx.random,
        )
        most = REACH_TRIES * -(-len(ports) // SUSPECTS)
        while len(trials) < most and (missing := sorted(set(ports) - ports_that_expired(trials))):
            trials.append(await run.batch(ctx.random.sample(missing, min(SUSPECTS, len(missing))), ()))
    return tuple(trials)


async def listen_for_errors(ctx: Context, link: DatagramPort, wait_s: float) -> list[IcmpNotice]:
    """The ICMP errors of a while."""
    ends_s = ctx.monotonic() + wait_s
    heard = []
    while (event := await link.next(timeout_s=max(0.0, ends_s - ctx.monotonic()))) is not None:
        if isinstance(event, IcmpNotice):
            heard.append(event)
    return heard


def take_turns(canaries: Collection[int], ports: Collection[int], chance: random.Random) -> list[int]:
    """Both in random order, spread evenly among each other; a canary comes first."""
    placed = [
        ((place + late) / len(members), port)
        for members, late in ((canaries, 0.0), (ports, 0.5))
        for place, port in enumerate(chance.sample(sorted(members), len(members)))
    ]
    return [port for _, port in sorted(placed)]


def _endless(canaries: Sequence[int], chance: random.Random) -> Iterator[int]:
    while True:
        yield from chance.sample(list(canaries), len(canaries))


def may_quote(quoted: bytes, payload: bytes) -> bool:
    """Whether an error may be about this payload. Routers may quote as little as nothing of it, and may pad it."""
    return payload.startswith(quoted[: len(payload)])


def tally(icmp: Mapping[int, IcmpError]) -> tuple[IcmpTally, ...]:
    """ICMP errors by kind and sender, the commonest first."""
    groups: dict[IcmpError, list[int]] = defaultdict(list)
    for port in sorted(icmp):
        groups[icmp[port]].append(port)
    ordered: Sequence[tuple[IcmpError, list[int]]] = sorted(
        groups.items(), key=lambda group: (-len(group[1]), group[1])
    )
    return tuple(IcmpTally(icmp=error, ports=tuple(members)) for error, members in ordered)

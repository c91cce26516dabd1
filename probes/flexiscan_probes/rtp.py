"""The media range: are its UDP ports reachable? Receiver reports only, counts only, never content.

Quick: a sample of 500 ports; otherwise every port, twice.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv6Network
from math import inf
from typing import Any, Final, Literal

from flexiscan.model.facts import RtpSweep
from flexiscan.model.plan import Task
from flexiscan.model.profile import PortRow
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec
from flexiscan_probes import udp
from flexiscan_probes.near_search import (
    GUIDE_EVERY_S,
    MOST_NEAR_PASSES,
    MOST_NEAR_TRIALS,
    NEAR_CANARIES,
    NEAR_PASSES,
    NEAR_PORTS,
    NEAR_TRIALS,
    NearSearch,
)
from flexiscan_probes.own_sources import OwnSources
from flexiscan_probes.path_trial import (
    CONFIRM_IDLE_S,
    CONFIRMATIONS,
    GUIDE_TRIES,
    GUIDE_WAIT_S,
    REACH_TRIES,
    SUSPECTS,
    Yardstick,
    near_lane,
    trials_s,
    yardstick,
)
from flexiscan_probes.rtp_run import EDGE_WAIT_S, PASSES, SweepRun
from flexiscan_probes.rtp_sweep import CANARY_PAUSE_S, CANARY_TRIES, CANARY_WAIT_S, PASS_WAIT_S, RangeSweep
from flexiscan_probes.sweep_order import comparison_ports, far_ports, sample_ports
from flexiscan_probes.wire import rtcp

SAMPLE_PORTS: Final = 500
"""Of 10,001: none found exposed bounds the exposed ones to 58 with 95 % (hypergeometric)."""
_CANARIES: Final = 8
_DEFAULT_PPS: Final = 200
_FAR_PORTS_PER_SIDE: Final = 12
"""Compared at the last router, new ones in each confirming batch."""
_SPARE_S: Final = 60.0


def plan(view: PlanView) -> Iterable[Draft]:
    """One sweep of every UDP range of the profile at every address, in the address's UDP lane."""
    if view.round != udp.ROUND:
        return []
    rows = [row for row in view.profile.ports if row.transport == "udp" and row.last_port]
    return [_draft(view, address.address, row) for address in view.addresses for row in rows]


def _draft(view: PlanView, address: str, row: PortRow) -> Draft:
    excluded = sorted(view.options.get("excluded_ports", ()))
    taken = sorted({other.port for other in view.profile.ports if other.transport == "udp"} - {row.port})
    count = SAMPLE_PORTS if view.depth == "quick" else (row.last_port or row.port) - row.port + 1
    known = yardstick(view, address)
    passes = PASSES if known is None else 1 + NEAR_PASSES
    near_trials = 0 if known is None else NEAR_TRIALS
    datagrams = passes * count + 2 * CANARY_TRIES * _CANARIES + near_trials * (NEAR_PORTS + NEAR_CANARIES + SUSPECTS)
    canary_s = CANARY_TRIES * (_CANARIES * CANARY_PAUSE_S + CANARY_WAIT_S)
    pps = int(view.options.get("udp_pps", _DEFAULT_PPS))
    budget_s = 2 * datagrams / pps + (0.0 if known is None else _near_spare_s(count, pps)) + _SPARE_S / 2
    return Draft(
        role="rtp-sweep",
        name=f"{row.port}-{row.last_port}",
        address=address,
        transport="udp",
        params={
            "first_port": row.port,
            "last_port": row.last_port,
            "excluded": excluded,
            "taken": taken,
            "sample": count,
            "seed": random.Random(f"{view.seed}:rtp:{address}:{row.port}").getrandbits(32),
            "path": None if known is None else known.as_params(),
            "budget_s": round(budget_s, 1),
            **_own_sources(view, address),
        },
        lane=udp.udp_lane(view, address) or (near_lane(address) if known is not None else ""),
        gate="udp",
        datagrams=datagrams,
        silence_s=canary_s + trials_s(2 * near_trials) + EDGE_WAIT_S + passes * PASS_WAIT_S,
        deadline_s=budget_s + _SPARE_S / 2,
    )


def _near_spare_s(count: int, pps: int) -> float:
    """A third pass, guides that are not answered, trials that are repeated, and a confirmation, in seconds."""
    guides = MOST_NEAR_PASSES * (2 + count / pps / GUIDE_EVERY_S)
    return (
        count / pps
        + guides * GUIDE_TRIES * GUIDE_WAIT_S
        + trials_s(MOST_NEAR_TRIALS + 2 * REACH_TRIES)
        + trials_s(CONFIRMATIONS, CONFIRM_IDLE_S)
    )


def _own_sources(view: PlanView, address: str) -> dict[str, Any]:
    """The prefix that the run may send from, and a port whose answers show that it is routed back."""
    prefix = view.options.get("source_prefix")
    if prefix is None or ":" not in address:
        return {}
    accepting = view.accepted_tcp_ports(address)
    controls = [port for port in (view.target.https_port, view.target.http_port) if port in accepting]
    return {"source_prefix": prefix, "source_control_port": controls[0] if controls else None}


async def observe(ctx: Context, task: Task) -> RtpSweep:
    """Edges, canaries, everything once, the silent ports again, and the canaries that answered again."""
    if task.address is None:
        raise ValueError(f"task {task.id} names no address")
    first, last = int(task.params["first_port"]), int(task.params["last_port"])
    chance = random.Random(int(task.params["seed"]))
    payload = rtcp.build_receiver_report(chance.getrandbits(32))
    excluded = frozenset(task.params["excluded"])
    sample = sample_ports(first, last, int(task.params["sample"]), excluded, chance)
    canaries = comparison_ports(first, last, excluded.union(task.params["taken"]), chance)
    far = far_ports(first, last, _FAR_PORTS_PER_SIDE, excluded.union(task.params["taken"], canaries), chance)
    path = task.params.get("path")
    began_s = ctx.monotonic()
    async with ctx.datagrams(task.address) as link:
        sweep = RangeSweep(ctx, link, payload, _sources(ctx, task, task.address, chance))
        near = None if path is None else NearSearch(ctx, sweep, sample, far, chance, Yardstick(**path))
        ends_s = began_s + float(task.params.get("budget_s", inf))
        run = SweepRun(ctx, sweep, sample, canaries, chance, near, ends_s)
        refused = await run.carry_out()
    return _as_fact(task, run, refused=refused, waited_s=ctx.monotonic() - began_s)


def _sources(ctx: Context, task: Task, address: str, chance: random.Random) -> OwnSources | None:
    prefix = task.params.get("source_prefix")
    if prefix is None:
        return None
    port = task.params["source_control_port"]
    return OwnSources(ctx, address, IPv6Network(prefix), port, random.Random(chance.getrandbits(32)))


def _as_fact(task: Task, run: SweepRun, *, refused: bool, waited_s: float) -> RtpSweep:
    sweep = run.sweep
    asked = sweep.asked & set(run.sample)
    fact = RtpSweep(
        first_port=int(task.params["first_port"]),
        last_port=int(task.params["last_port"]),
        seed=int(task.params["seed"]),
        passes=run.all_passes,
        payload_hex=sweep.payload.hex(),
        ports_asked=len(asked),
        datagrams=sweep.datagrams,
        silent=len(sweep.silent(asked)),
        icmp=sweep.icmp_tallies(asked),
        data_ports=tuple(sorted(sweep.data - sweep.media.keys() - set(run.canaries))),
        media=sweep.media_counts(),
        canaries=run.before,
        canaries_after=run.after,
        stopped="send-refused" if refused and not sweep.media_seen else _how_it_ended(run),
        decided_after_s=run.decided_after_s,
        waited_s=waited_s,
        sent_by_second=by_second(sweep.sent_by_second),
        errors_by_second=by_second(sweep.errors_by_second),
        refused_ports=tuple(sorted(sweep.refused & asked)),
        own_sources=None if sweep.sources is None else sweep.sources.as_fact(),
    )
    return fact if run.near is None or not run.near.trials else _with_near(fact, run.near, asked)


def _how_it_ended(run: SweepRun) -> Literal["", "media-seen", "decided", "out-of-time"]:
    if run.sweep.media_seen:
        return "media-seen"
    if run.decided_after_s is not None and not run.is_exact:
        return "decided"
    return "out-of-time" if run.out_of_time else ""


def _with_near(fact: RtpSweep, near: NearSearch, asked: Collection[int]) -> RtpSweep:
    return fact.model_copy(
        update={
            "near_hop_limit": near.yardstick.hop_limit,
            "near_asked": len(near.sweep.near & set(asked)),
            "near_passes": near.passes,
            "near_expired": near.sweep.expired_tallies(),
            "near_trials": tuple(near.trials),
            "near_confirming": tuple(near.confirming),
            "near_guides": tuple(near.guides),
            "way_before": near.way_before,
            "way_after": near.way_after,
        }
    )


def by_second(counts: Mapping[int, int]) -> tuple[int, ...]:
    """Counts of every second from the first to the last that has one."""
    return tuple(counts.get(second, 0) for second in range(max(counts, default=-1) + 1))


SPEC: Final = ProbeSpec(id="rtp.sweep", version=1, plan=plan, observe=observe)

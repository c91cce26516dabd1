"""Where do datagrams to the single UDP ports end? Datagrams that may travel only to the last router before the server.

They never reach the server. A router behind the filter answers for those that the filter lets through.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flexiscan.model.endpoint import family_of
from flexiscan.model.facts import PathGuide, PathTrial, UdpPath
from flexiscan.model.path_reading import canaries_came, ports_that_expired
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec
from flexiscan_probes import udp
from flexiscan_probes.canary_ports import pick_canary_ports
from flexiscan_probes.path_trial import (
    CONFIRM_IDLE_S,
    CONFIRMATIONS,
    GUIDE_TRIES,
    GUIDE_WAIT_S,
    IDLE_S,
    LEAST_CANARIES,
    REACH_TRIES,
    REFILL_S,
    SUSPECTS,
    YARDSTICK_PARAMS,
    TrialRun,
    Yardstick,
    listen_for_errors,
    near_lane,
    reach_router_before,
    trials_s,
    yardstick,
)
from flexiscan_probes.wire import rtcp

TRIALS: Final = 4
"""A datagram that is lost four times in a row (5 % loss: 1 in 160,000) would look like one that is dropped."""
_CANARIES: Final = 24
"""Some for the trials, and new ones in each confirming batch."""
_SPARE_S: Final = 60.0


def plan(view: PlanView) -> Iterable[Draft]:
    """One task at every address whose last router before the server is known."""
    if view.round != udp.ROUND:
        return []
    drafts = []
    for address in (entry.address for entry in view.addresses):
        known = yardstick(view, address)
        if known is not None:
            excluded = view.options.get("excluded_ports", ())
            rows = {row.port for row in view.profile.ports if row.transport == "udp" and not row.last_port}
            batches = -(-len(rows) // SUSPECTS)
            drafts.append(
                Draft(
                    role="udp-path",
                    name="path",
                    address=address,
                    transport="udp",
                    params={
                        **known.as_params(),
                        "ports": sorted(rows.difference(excluded)),
                        "canaries": list(pick_canary_ports(view, address, _CANARIES, "udp-path")),
                    },
                    lane=udp.udp_lane(view, address) or near_lane(address),
                    gate="udp",
                    datagrams=TRIALS * (len(rows) + LEAST_CANARIES) + len(rows),
                    silence_s=trials_s(TRIALS + batches),
                    deadline_s=trials_s(TRIALS + REACH_TRIES * batches)
                    + TRIALS * (GUIDE_TRIES * GUIDE_WAIT_S + max(REFILL_S.values()))
                    + trials_s(CONFIRMATIONS, CONFIRM_IDLE_S)
                    + _SPARE_S,
                )
            )
    return drafts


async def observe(ctx: Context, task: Task) -> UdpPath:
    """Batches of the ports among canaries; then those that came through again, where no canary did."""
    if task.address is None:
        raise ValueError(f"task {task.id} names no address")
    ports, canaries = list(task.params["ports"]), list(task.params["canaries"])
    known = Yardstick(**{key: task.params[key] for key in YARDSTICK_PARAMS})
    payload = rtcp.build_receiver_report(ctx.random.getrandbits(32))
    async with ctx.datagrams(task.address) as link:
        run = TrialRun(
            ctx,
            link,
            lambda wait_s: listen_for_errors(ctx, link, wait_s),
            payload,
            known.hop_limit,
            known.guide_port,
            ctx.random,
        )
        trials: list[PathTrial] = []
        guides: list[PathGuide] = []
        while len(trials) < TRIALS and not canaries_came(trials):
            answered = ports_that_expired(trials[-1:])
            await run.listen(IDLE_S + min(REFILL_S[family_of(task.address)], len(answered)))
            guides.append(await run.guide())
            trials.append(await run.batch(ports, canaries[:LEAST_CANARIES], idle_s=0.0))
        suspects = ports_that_expired(trials)
        confirming = [] if canaries_came(trials) else await run.confirm(suspects, canaries)
    silent = set(ports) - suspects if trials and not canaries_came(trials) else set()
    way = await reach_router_before(ctx, task.address, silent, known, payload)
    return UdpPath(trials=tuple(trials), confirming=tuple(confirming), guides=tuple(guides), way=way)


SPEC: Final = ProbeSpec(id="udp.path", version=1, plan=plan, observe=observe)

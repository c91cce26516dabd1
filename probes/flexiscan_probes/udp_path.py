"""Where do datagrams to the single UDP ports end? Datagrams that may travel only to the last router before the server.

They never reach the server. A router behind the filter answers for those that the filter lets through.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flexiscan.model.facts import PathTrial, UdpPath
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, DatagramPort, Draft, IcmpNotice, PlanView, ProbeSpec
from flexiscan_probes import udp
from flexiscan_probes.canary_ports import pick_canary_ports
from flexiscan_probes.path_trial import ANSWER_S, IDLE_S, try_batch, yardstick
from flexiscan_probes.tcp_path import HOP_WAIT_S
from flexiscan_probes.wire import rtcp

TRIALS: Final = 3
"""A datagram that is lost three times in a row (5 % loss: 1 in 8,000) would look like one that is dropped."""
CANARIES: Final = 4
_SPARE_S: Final = 60.0
_TRIAL_S: Final = 2 * IDLE_S + ANSWER_S + HOP_WAIT_S


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
            drafts.append(
                Draft(
                    role="udp-path",
                    name="path",
                    address=address,
                    transport="udp",
                    params={
                        **known.as_params(),
                        "ports": sorted(rows.difference(excluded)),
                        "canaries": list(pick_canary_ports(view, address, CANARIES, "udp-path")),
                    },
                    lane=udp.udp_lane(view, address),
                    gate="udp",
                    datagrams=TRIALS * (len(rows) + CANARIES),
                    silence_s=2 * TRIALS * _TRIAL_S,
                    deadline_s=2 * TRIALS * _TRIAL_S + _SPARE_S,
                )
            )
    return drafts


async def observe(ctx: Context, task: Task) -> UdpPath:
    """Batches of the ports and of canaries in turn, each time in a new order."""
    if task.address is None:
        raise ValueError(f"task {task.id} names no address")
    ports: list[PathTrial] = []
    canaries: list[PathTrial] = []
    async with ctx.datagrams(task.address) as link:
        for _ in range(TRIALS):
            canaries.append(await _trial(ctx, task, link, "canaries"))
            ports.append(await _trial(ctx, task, link, "ports"))
    return UdpPath(ports=tuple(ports), canaries=tuple(canaries))


async def _trial(ctx: Context, task: Task, link: DatagramPort, group: str) -> PathTrial:
    members = list(task.params[group])
    ctx.random.shuffle(members)

    async def listen(wait_s: float) -> list[IcmpNotice]:
        ends_s = ctx.monotonic() + wait_s
        heard = []
        while (event := await link.next(timeout_s=max(0.0, ends_s - ctx.monotonic()))) is not None:
            if isinstance(event, IcmpNotice):
                heard.append(event)
        return heard

    payload = rtcp.build_receiver_report(ctx.random.getrandbits(32))
    return await try_batch(
        ctx,
        link,
        listen,
        payloads=dict.fromkeys(members, payload),
        hop_limit=int(task.params["hop_limit"]),
        guide_port=int(task.params["guide_port"]),
    )


SPEC: Final = ProbeSpec(id="udp.path", version=1, plan=plan, observe=observe)

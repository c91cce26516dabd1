"""What a scan would do and how long it would take at the least, without sending anything."""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from dataclasses import dataclass

from flexiscan.api.request import ScanRequest
from flexiscan.api.run import Run
from flexiscan.engine.addresses import needs_dns, target_addresses
from flexiscan.engine.planner import Planner, lanes_of
from flexiscan.engine.registry import load_probes
from flexiscan.engine.scan_host import LAST_ROUND
from flexiscan.model.endpoint import Endpoint, TargetAddress, family_of
from flexiscan.model.facts import Fact, TcpExchange, UdpExchange
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Task
from flexiscan.model.target import Rates, Target
from flexiscan.net.clock import Clock
from flexiscan.net.pace import floor_s
from flexiscan.sdk import PlanView, ProbeSpec

STAND_INS = ("192.0.2.1", "2001:db8::1")
"""In place of addresses that only DNS knows (RFC 5737, RFC 3849): one of each family."""


@dataclass(frozen=True, slots=True)
class HostEstimate:
    """The plan of one host, as far as it can be known before anything was seen."""

    host: str
    addresses: tuple[str, ...]
    """Empty: only DNS knows, and one address of each family was assumed."""
    endpoints: tuple[Endpoint, ...]
    plans: tuple[Plan, ...]
    packets: int
    """First packets of tasks; answers and retransmissions not counted."""
    requests: int
    handshakes: int
    floor_s: float
    """The pacing floor: the shortest time that the caps and the declared waits allow on a host that keeps the
    guide (only the web ports answer)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """All hosts of a request."""

    hosts: tuple[HostEstimate, ...]

    @property
    def floor_s(self) -> float:
        """Hosts run side by side, so the slowest decides."""
        return max((host.floor_s for host in self.hosts), default=0.0)


def estimate(request: ScanRequest, *, clock: Clock | None = None) -> Estimate:
    """Plan everything, send nothing. Raises what `scan` raises before its first packet."""
    run = Run.begin(request, clock or Clock())
    specs = load_probes()
    return Estimate(tuple(_host(run, specs, target) for target in request.scope.targets))


def _host(run: Run, specs: tuple[ProbeSpec, ...], target: Target) -> HostEstimate:
    known = target_addresses(target, run.request.scope, (), run.is_public)
    declared = tuple(TargetAddress(address=a, family=family_of(a)) for a in target.addresses if needs_dns(target.host))
    certain = tuple(a for a in (*known, *declared) if a.state == "in-scope")
    assumed = certain or tuple(TargetAddress(address=a, family=family_of(a)) for a in STAND_INS)
    usable = tuple(a for a in assumed if a.family in run.request.families)
    plans = _plans(run, specs, target, usable)
    tasks = [task for plan in plans for task in plan.tasks]
    return HostEstimate(
        host=target.host,
        addresses=tuple(a.address for a in certain),
        endpoints=_endpoints(tasks),
        plans=plans,
        packets=sum(task.datagrams or 1 for task in tasks),
        requests=sum(task.gate == "http" for task in tasks),
        handshakes=sum(task.gate == "tls" for task in tasks),
        floor_s=sum(_round_floor_s(plan, run.request.scope.rates) for plan in plans),
    )


def _plans(
    run: Run, specs: tuple[ProbeSpec, ...], target: Target, usable: tuple[TargetAddress, ...]
) -> tuple[Plan, ...]:
    tasks: dict[str, Task] = {}
    seen: dict[str, Observation] = {}
    plans = []
    wanted_in = run.wanted_in(target)
    for number in range(LAST_ROUND + 1 if run.asks_addresses else 1):
        addresses = usable if number else ()
        wanted = wanted_in(addresses, tasks, seen)
        planner = Planner(specs, lambda task, wanted=wanted: "" if wanted(task) else "not-selected")  # type: ignore[misc]
        view = PlanView(
            round=number,
            target=target,
            addresses=addresses,
            profile=run.profile,
            depth=run.request.depth,
            seed=run.start.run.seed,
            tasks=tasks,
            seen=seen,
            options=run.options(),
        )
        plan = _continued(planner, planner.plan(view), run.clock.now())
        plans.append(plan)
        tasks = {**tasks, **{task.id: task for task in plan.tasks}}
        seen = {**seen, **_as_the_guide_wants(plan, target, run.clock.now())}
    return tuple(plans)


def _continued(planner: Planner, plan: Plan, now: dt.datetime) -> Plan:
    """The plan with what its lanes would go on with, for probes that say what they expect."""
    specs = {spec.id: spec for spec in planner.specs}
    tasks: dict[str, Task] = {task.id: task for task in plan.tasks}
    for lane in lanes_of(plan.tasks).values():
        waiting = deque(lane)
        history: list[Observation] = []
        while waiting:
            task = waiting.popleft()
            spec = specs[task.probe]
            if spec.expected is None:
                continue
            history.append(Observation(id=task.id, started=now, ended=now, outcome=spec.expected(task)))
            added, _ = planner.proceed(spec, task, tuple(history), tasks)
            tasks.update((follower.id, follower) for follower in added)
            waiting.extendleft(reversed(added))
    return plan.model_copy(update={"tasks": tuple(tasks.values())})


def _as_the_guide_wants(plan: Plan, target: Target, now: dt.datetime) -> dict[str, Observation]:
    """Observations of a host where only the web ports answer: they decide what round 2 would ask."""
    web = (target.http_port, target.https_port)
    assumed = {}
    for task in plan.tasks:
        if task.gate == "tcp" and task.port is not None:
            state: Fact = TcpExchange(connect="accepted" if task.port in web else "silence")
        elif task.gate == "udp" and task.port is not None:
            state = UdpExchange(reply="silence")
        else:
            continue
        assumed[task.id] = Observation(id=task.id, started=now, ended=now, outcome=state)
    return assumed


def _round_floor_s(plan: Plan, rates: Rates) -> float:
    """The longest of: one lane's waits, one address's datagrams, the name's requests."""
    lanes = [
        sum(task.silence_s + floor_s(task.datagrams, rates.udp_pps) for task in lane)
        for lane in lanes_of(plan.tasks).values()
    ]
    packets: Counter[str] = Counter()
    for task in plan.tasks:
        if task.address is not None and task.gate in ("tcp", "udp"):
            packets[task.address] += task.datagrams or 1
    requests = sum(task.gate == "http" for task in plan.tasks)
    by_address = [floor_s(count, rates.udp_pps) for count in packets.values()]
    return max([0.0, *lanes, *by_address, floor_s(requests, rates.http_rps)])


def _endpoints(tasks: list[Task]) -> tuple[Endpoint, ...]:
    found = {
        Endpoint(address=task.address, transport=task.transport, port=task.port)
        for task in tasks
        if task.address is not None and task.transport is not None and task.port is not None and task.gate != "dns"
    }
    return tuple(sorted(found, key=lambda e: (e.family, e.address, e.transport, e.port)))

"""Scans every target of a request and returns the judged document."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from flexiscan.api.judge import judge_record
from flexiscan.api.raw_evidence import raw_evidence
from flexiscan.api.request import ScanRequest, Watch
from flexiscan.api.run import Run
from flexiscan.engine.registry import load_probes
from flexiscan.engine.runtime import Journal, Runtime
from flexiscan.engine.scan_host import HostScan
from flexiscan.errors import FlexiScanError
from flexiscan.model.endpoint import FAMILIES, TargetAddress
from flexiscan.model.facts import FamilyReach
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Task
from flexiscan.model.result import ResultDocument
from flexiscan.model.target import Target
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.raw.link import RawLink
from flexiscan.net.reach import reach
from flexiscan.sdk import ProbeSpec
from flexiscan.store.events import Event, Observed, Planned, RunEnded, TargetResolved, TasksAdded
from flexiscan.store.record import RecordWriter, new_record

HOSTS_AT_ONCE = 4

# Documentation addresses (RFC 5737, RFC 3849): only asked of the routing table, never sent to.
ROUTE_QUESTIONS = {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}


async def scan(request: ScanRequest, watch: Watch | None = None, *, clock: Clock | None = None) -> ResultDocument:
    """Scan, record and judge.

    Raises UsageError, ScopeRefused, PluginError or RecordError before anything is sent, RecordError also when the
    record cannot be written any more. When cancelled, the record is closed as interrupted and CancelledError
    passes through: `judge` the record folder to see what was seen.
    """
    run = Run.begin(request, clock or Clock())
    specs = load_probes()
    with RecordWriter(request.record_folder) as writer:
        record = new_record(run.start)
        writer.write(run.start)

        def write(event: Event) -> None:
            writer.write(event)
            record.add(event)

        interrupted = True
        try:
            async with _raw_sockets(run, write) as raw:
                await _scan_hosts(run, specs, write, watch or Watch(), raw)
            interrupted = False
        except BaseExceptionGroup as group:
            ours, _ = group.split(FlexiScanError)
            if ours is None:
                raise
            raise _first(ours) from None
        finally:
            with contextlib.suppress(FlexiScanError):
                write(RunEnded(ended=run.clock.now(), interrupted=interrupted))
    return judge_record(record, fail_on=request.fail_on, strict=request.strict)


def _first(group: BaseExceptionGroup[FlexiScanError]) -> FlexiScanError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _raw_sockets(run: Run, write: Callable[[Event], None]) -> contextlib.AbstractAsyncContextManager[RawLink | None]:
    if not run.request.raw:
        return contextlib.nullcontext()
    return raw_evidence(run.request.record_folder, run.wall, write)


async def _scan_hosts(
    run: Run, specs: tuple[ProbeSpec, ...], write: Callable[[Event], None], watch: Watch, raw: RawLink | None
) -> None:
    places = asyncio.Semaphore(HOSTS_AT_ONCE)
    pace = Pace(run.request.scope.rates, run.clock)

    async def scan_one(target: Target) -> None:
        async with places:
            await _host_scan(run, target, specs, run.runtime(pace, _journal(write, watch), raw), write, watch).run()

    try:
        async with asyncio.TaskGroup() as group:
            for target in run.request.scope.targets:
                group.create_task(scan_one(target))
    finally:
        await pace.aclose()


def _host_scan(
    run: Run,
    target: Target,
    specs: tuple[ProbeSpec, ...],
    runtime: Runtime,
    write: Callable[[Event], None],
    watch: Watch,
) -> HostScan:
    def resolved(_: Target, addresses: tuple[TargetAddress, ...]) -> None:
        reached = _reach(addresses, run.request.scope.assume_public)
        write(TargetResolved(target=target, addresses=addresses, reach=reached))
        watch.resolved(target.host, addresses)

    return HostScan(
        target=target,
        scope=run.request.scope,
        profile=run.profile,
        depth=run.request.depth,
        families=run.request.families,
        specs=specs,
        runtime=runtime,
        is_public=run.is_public,
        wanted_in=run.wanted_in(target),
        wall_for=lambda addresses: run.wall_for(target, addresses),
        resolved=resolved,
        asks_addresses=run.asks_addresses,
        options=run.options(),
    )


def _journal(write: Callable[[Event], None], watch: Watch) -> Journal:
    def planned(host: str, plan: Plan) -> None:
        write(Planned(host=host, plan=plan))
        watch.planned(host, plan)

    def added(host: str, tasks: tuple[Task, ...]) -> None:
        write(TasksAdded(host=host, tasks=tasks))
        watch.added(host, tasks)

    def observed(host: str, observation: Observation) -> None:
        write(Observed(host=host, observation=observation))
        watch.observed(host, observation)

    return Journal(planned, added, observed)


def _reach(addresses: tuple[TargetAddress, ...], assume_public: tuple[str, ...]) -> tuple[FamilyReach, ...]:
    """What this machine can use of each family, towards the target where it has an address."""
    found = []
    for family in FAMILIES:
        usable = [a.address for a in addresses if a.family == family and a.state == "in-scope"]
        question = usable[0] if usable else ROUTE_QUESTIONS[family]
        found.append(reach(question, assume_public=assume_public))
    return tuple(found)

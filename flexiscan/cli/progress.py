"""Progress on a terminal, and a log of every task when asked for. Both go to stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flexiscan.cli.options import is_terminal

if TYPE_CHECKING:
    from flexiscan.api import ScanRequest, Watch
    from flexiscan.model.endpoint import TargetAddress
    from flexiscan.model.observation import Observation
    from flexiscan.model.plan import Plan, Task

LOG_LEVEL_ALL = 2
"""-vv"""


@contextlib.contextmanager
def watching(request: ScanRequest, *, quiet: bool, verbose: int) -> Iterator[Watch]:
    """What shows the scan while it runs: a bar on a terminal, a log with -vv, otherwise nothing."""
    from flexiscan.api import Watch

    if verbose >= LOG_LEVEL_ALL:
        yield _log_watch()
    elif quiet or not is_terminal():
        yield Watch()
    else:
        with _bar() as watch:
            yield watch


def _log_watch() -> Watch:
    import structlog

    from flexiscan.api import Watch

    log: Any = structlog.wrap_logger(
        structlog.PrintLogger(file=__import__("sys").stderr),
        processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer()],
    )

    def resolved(host: str, addresses: tuple[TargetAddress, ...]) -> None:
        log.msg("resolved", host=host, addresses=[f"{a.address} {a.state}" for a in addresses])

    def planned(host: str, plan: Plan) -> None:
        log.msg("planned", host=host, round=plan.round, tasks=len(plan.tasks), skips=len(plan.skips))

    def observed(host: str, observation: Observation) -> None:
        outcome = observation.outcome
        what = outcome.reason if outcome.kind == "failure" else outcome.kind
        log.msg("observed", host=host, task=observation.id, outcome=what)

    return Watch(resolved=resolved, planned=planned, observed=observed)


@contextlib.contextmanager
def _bar() -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from flexiscan.api import Watch

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bars: dict[str, Any] = {}
    totals: dict[str, int] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def more(host: str, count: int, description: str = "") -> None:
            if host not in bars:
                bars[host] = progress.add_task(f"{host}: asking DNS", total=0)
            totals[host] = totals.get(host, 0) + count
            progress.update(bars[host], total=totals[host])
            if description:
                progress.update(bars[host], description=f"{host}: {description}")

        def planned(host: str, plan: Plan) -> None:
            stage = ("asking DNS", "ports and media range", "web, TLS and certificates")
            more(host, len(plan.tasks), stage[min(plan.round, 2)])

        def added(host: str, tasks: tuple[Task, ...]) -> None:
            more(host, len(tasks))

        def observed(host: str, _: Observation) -> None:
            if host in bars:
                progress.advance(bars[host])

        yield Watch(planned=planned, added=added, observed=observed)

"""The scanner and another tool against the same running scenario, one after the other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from flexiscan_lab.lab import Lab
from flexiscan_lab.programs import find_program
from flexiscan_lab.scenario import TARGET_IPV4, TARGET_IPV6
from flexiscan_lab.scenarios import ALL

AT_ONCE = 4
SCAN_DEADLINE_S = 300.0
SEED = "7"
ADDRESSES = (TARGET_IPV4, TARGET_IPV6)

T = TypeVar("T")
Target = dict[str, Any]
Ask = Callable[[Lab, Target], T]
"""Asks another tool; it may read what the scan found (one target of the result document)."""


@dataclass(frozen=True, slots=True)
class Comparison(Generic[T]):
    """What the scanner found (one target of the result document), and what the other tool told."""

    target: Target
    told: T

    def findings(self, rule: str, address: str) -> list[dict[str, Any]]:
        """All findings of one rule (or one area, "tls.") about one address."""
        return [f for f in self.target["findings"] if f["rule"].startswith(rule) and f["address"] == address]

    def finding(self, rule: str, address: str, port: int = 443) -> dict[str, Any]:
        """The one finding of a rule about a TCP port."""
        (found,) = [f for f in self.findings(rule, address) if f["rule"] == rule and f["port"] == port]
        return found

    def facts(self, kind: str, address: str) -> list[dict[str, Any]]:
        """The facts of one kind about one address, in the order of the document."""
        return facts_of(self.target, kind, address)


def facts_of(target: Target, kind: str, address: str, port: int | None = None) -> list[dict[str, Any]]:
    """The facts of one kind about an address, or about one of its TCP ports."""
    place = f"/{address}/" if port is None else f"/{address}/tcp/{port}/"
    observed = [o["outcome"] for o in target["observations"] if place in o["id"]]
    return [outcome for outcome in observed if outcome["kind"] == kind]


class Comparisons(Generic[T]):
    """One comparison for each scenario, several at a time in the background: most of the time is waiting."""

    def __init__(self, scenarios: Sequence[str], options: Sequence[str], ask: Ask[T]) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="comparison")
        self._done: dict[str, Future[Comparison[T]]] = {
            scenario: self._pool.submit(compare, scenario, options, ask) for scenario in scenarios
        }

    def get(self, scenario: str) -> Comparison[T]:
        """The finished comparison; raises what it raised."""
        return self._done[scenario].result()

    def close(self) -> None:
        """Wait for what runs, start nothing more."""
        self._pool.shutdown(cancel_futures=True)


def compare(scenario: str, options: Sequence[str], ask: Ask[T]) -> Comparison[T]:
    """Scan a scenario with some options, then let another tool look at it."""
    with Lab.start(ALL[scenario]) as lab:
        record = lab.folder / "record"
        argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments(), *options]
        argv += ["--seed", SEED, "--record", str(record), "--format", "json=-", "-q"]
        done = lab.run(argv, capture_output=True, text=True, timeout=SCAN_DEADLINE_S)
        assert done.stdout, f"the scan of {scenario} gave no document (exit {done.returncode}): {done.stderr}"
        target: Target = json.loads(done.stdout)["targets"][0]
        return Comparison(target, ask(lab, target))


def asked_for(request: pytest.FixtureRequest, options: Sequence[str], ask: Ask[T]) -> Iterator[Comparisons[T]]:
    """Comparisons for the scenarios that the collected tests of the requesting module want."""
    wanted = {
        str(item.callspec.params["scenario"])
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and hasattr(item, "callspec")
        and "scenario" in item.callspec.params
    }
    comparisons = Comparisons(sorted(wanted), options, ask)
    yield comparisons
    comparisons.close()


def needed(program: str) -> str:
    """The path of a program; skips what needs it, with the reason, where it is missing."""
    found = find_program(program)
    if found is None:
        pytest.skip(f"left out: {program} is not installed (as root on Debian, make oracle installs it)")
    return found


def needs_root(what: str) -> None:
    """Skips what an ordinary user may not do, with the reason."""
    if os.geteuid() != 0:
        pytest.skip(f"left out: {what} needs root")

"""A web of made-up sites: runs the web probe's own plan against functions and judges what they answered.

No socket and no clock: a thousand runs take seconds. A site is a function from what was asked to an exchange.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flexiscan.engine.planner import Planner, as_task
from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import Fact, HttpExchange, TcpExchange
from flexiscan.model.finding import Finding
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.policy.evaluate import Evidence, evaluate
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rule import Rule
from flexiscan.policy.selection import Selection
from flexiscan.sdk import PlanView
from flexiscan_probes import http
from flexiscan_probes.http_exchange import MAX_TEXT_CHARACTERS

HOST = "flexi.example.test"
IPV4 = "192.0.2.10"
IPV6 = "2001:db8:2::10"
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
PROFILE = load_profile()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as a site sees it. `number` counts the requests of this port from 1."""

    address: str
    port: int
    scheme: str
    target: str
    browser: bool
    number: int

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a site answers, or how it does not."""

    status: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html"),)
    outcome: str = "response"
    detail: str = ""

    def adding(self, *headers: tuple[str, str]) -> Reply:
        """The same with more headers."""
        return Reply(self.status, self.body, self.headers + headers, self.outcome, self.detail)


Site = Callable[[Asked], Reply]

NOT_SPOKEN = {
    "http": Reply(400),
    "https": Reply(outcome="tls-failed", detail="closed"),
    "h2": Reply(outcome="not-http", detail="no-h2"),
}
"""What a port says to a channel that it does not speak."""


@dataclass(slots=True)
class World:
    """Sites by address, port and channel; every other port is silent, a channel without a site does not speak."""

    sites: Mapping[tuple[str, int, str], Site]
    target: Target = field(default_factory=lambda: Target(host=HOST))
    tasks: dict[str, Task] = field(default_factory=dict)
    seen: dict[str, Observation] = field(default_factory=dict)
    ticks: Iterator[int] = field(default_factory=itertools.count)
    asked: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def addresses(self) -> tuple[TargetAddress, ...]:
        """All addresses that have a site."""
        found = dict.fromkeys(address for address, _, _ in self.sites)
        return tuple(TargetAddress(address=a, family=family_of(a)) for a in found)

    def scan(self) -> World:
        """Ask the ports, then the web, with controls around."""
        for address in self.addresses:
            self._control(address.address)
        for address in self.addresses:
            for port in {80, 443, 8080, 4443, 9692, 13404, *http.channels_of(self.target)}:
                is_open = any(key[:2] == (address.address, port) for key in self.sites)
                fact = TcpExchange(connect="accepted" if is_open else "silence")
                self._take(self._tcp_task("tcp", address.address, port, "connect"), fact)
        for address in self.addresses:
            self._control(address.address)
        self._web()
        for address in self.addresses:
            self._control(address.address)
        return self

    def findings(self, *rules: Rule) -> tuple[Finding, ...]:
        """What these rules say, through the real evaluator."""
        scope = Scope(authorisation=Authorisation(authorised_by="test"), targets=(self.target,))
        evidence = Evidence(
            target=self.target,
            scope=scope,
            addresses=self.addresses,
            families=("ipv4", "ipv6"),
            names_known={"ipv4": True, "ipv6": True},
            tasks=self.tasks,
            skips=(),
            observations=self.seen,
            interrupted=False,
            depth="standard",
            now_s=START.timestamp(),
        )
        ids = {rule.id for rule in rules}
        found = evaluate(PROFILE, rules, Selection(only=tuple(ids)), evidence)
        return tuple(finding for finding in found if finding.rule in ids)

    def result(self, rule: Rule, port: int, address: str = IPV4) -> tuple[str, str]:
        """Verdict and result of one rule at one port."""
        for finding in self.findings(rule):
            if (finding.address, finding.port) == (address, port):
                assert finding.result != "internal", finding.params
                return finding.verdict, finding.result
        raise AssertionError(f"no finding for {address} {port}")

    def _web(self) -> None:
        view = PlanView(2, self.target, self.addresses, PROFILE, "standard", 7, dict(self.tasks), dict(self.seen))
        planner = Planner((http.SPEC,), lambda _: "")
        lanes: dict[str, list[Task]] = {}
        for draft in http.plan(view):
            task = as_task(http.SPEC, draft, view)
            lanes.setdefault(task.lane, []).append(task)
        for waiting in lanes.values():
            history: list[Observation] = []
            while waiting:
                task = waiting.pop(0)
                history.append(self._take(task, self._answer(task)))
                waiting[:0], _ = planner.proceed(http.SPEC, task, tuple(history), self.tasks)

    def _answer(self, task: Task) -> HttpExchange:
        assert task.address is not None
        assert task.port is not None
        channel = str(task.params["channel"])
        endpoint = (task.address, task.port)
        self.asked[endpoint] = self.asked.get(endpoint, 0) + 1
        asked = Asked(
            *endpoint,
            "http" if channel == "http" else "https",
            str(task.params["target"]),
            task.params.get("agent", "own") == "browser",
            self.asked[endpoint],
        )
        site = self.sites.get((*endpoint, channel))
        return exchange_of(asked, site(asked) if site else NOT_SPOKEN[channel])

    def _control(self, address: str) -> None:
        port = 443 if any(key[:2] == (address, 443) for key in self.sites) else 80
        name = f"control-{len(self.seen)}"
        self._take(self._tcp_task("control", address, port, name), TcpExchange(connect="accepted"))

    def _tcp_task(self, role: str, address: str, port: int, name: str) -> Task:
        task_id = f"tcp/{HOST}/{address}/tcp/{port}/{name}"
        return Task(
            id=task_id,
            probe="tcp",
            host=HOST,
            role=role,
            address=address,
            transport="tcp",
            port=port,
            lane=task_id,
        )

    def _take(self, task: Task, fact: Fact) -> Observation:
        at = START + dt.timedelta(milliseconds=50 * next(self.ticks))
        ended = at + dt.timedelta(milliseconds=20)
        observation = Observation(id=task.id, started=at, ended=ended, outcome=fact)
        self.tasks[task.id] = task
        self.seen[task.id] = observation
        return observation


def exchange_of(asked: Asked, reply: Reply) -> HttpExchange:
    """The fact that the probe would have made of a reply."""
    common: dict[str, Any] = {
        "scheme": asked.scheme,
        "method": "GET",
        "target": asked.target,
        "host": HOST,
        "outcome": reply.outcome,
        "detail": reply.detail,
    }
    if reply.outcome != "response":
        return HttpExchange(**common)
    return HttpExchange(
        **common,
        version="HTTP/1.1",
        status=reply.status,
        headers=reply.headers,
        body_text=reply.body[:MAX_TEXT_CHARACTERS],
        body_size=len(reply.body),
        body_truncated=len(reply.body) > MAX_TEXT_CHARACTERS,
    )


def everywhere(site: Site, port: int = 443, scheme: str = "https") -> dict[tuple[str, int, str], Site]:
    """The same site on one port of both families."""
    return {(address, port, scheme): site for address in (IPV4, IPV6)}


def values(findings: Iterable[Finding]) -> set[tuple[str | None, int | None, str, str]]:
    """Findings as comparable tuples."""
    return {(f.address, f.port, f.verdict, f.result) for f in findings}

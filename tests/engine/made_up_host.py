"""A whole scan without a network: the real engine, plans and rules, and a host that is a function of the task.

Time is virtual and nothing is paced, so a scan takes a moment. Everything that a real scan would do is done, the
record included; only what a probe would have sent and heard is made up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from flexiscan.api.request import ScanRequest, Watch
from flexiscan.api.scan import scan
from flexiscan.engine.runtime import Runtime
from flexiscan.model.dns_answer import canonical_name
from flexiscan.model.endpoint import family_of
from flexiscan.model.facts import Fact, FamilyReach, TcpExchange, UdpExchange
from flexiscan.model.facts_dns import DnsRecord, DnsReply
from flexiscan.model.facts_tls import TlsSecondOpinion
from flexiscan.model.plan import Task
from flexiscan.model.result import ResultDocument
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.net.link import NotConnected
from flexiscan.net.wall import ScopeWall
from flexiscan.sdk import Context, ProbeSpec
from flexiscan_probes import dns, http, rtp, tcp, tls, tls_second_opinion, udp
from tests.policy import cert_chains
from tests.policy.port_world import silent_sweep, spoke
from tests.policy.tls_world import TlsServer
from tests.policy.web_sites import sound, to_https
from tests.policy.web_world import HOST, Asked, Site, exchange_of
from tests.virtual_clock import VirtualClock, run_virtually

V4, V6 = "192.0.2.10", "2001:db8:2::10"
SPECS = (dns.SPEC, http.SPEC, rtp.SPEC, tcp.SPEC, tls.SPEC, tls_second_opinion.SPEC, udp.SPEC)
RESOLVER = "192.0.2.53#53"
BOTH_FAMILIES = {"A": (V4,), "AAAA": (V6,)}
ASSUME_PUBLIC = ("192.0.2.0/24", "2001:db8::/32", "198.51.100.0/24")

Answer = Callable[[Task, float], Fact | None]
"""Given a task and the virtual second, what came of it; None for what a hardened host does. May raise."""


def _as_hardened(task: Task, at_s: float) -> None:
    return None


@functools.cache
def root() -> cert_chains.Issued:
    """The authority that vouches for the made-up host."""
    return cert_chains.root()


@functools.cache
def certificate() -> bytes:
    """The certificate of the made-up host."""
    return cert_chains.leaf(root(), dns=(HOST,)).der


@dataclass
class MadeUpHost:
    """A host that keeps the guide, but for what `answer` says."""

    answer: Answer = _as_hardened
    names: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(BOTH_FAMILIES))
    sites: Mapping[tuple[int, str], Site] = field(
        default_factory=lambda: {(443, "https"): sound, (80, "http"): to_https()}
    )
    asked: list[Task] = field(default_factory=list)
    chain: tuple[bytes, ...] = field(default_factory=lambda: (certificate(),))
    dns_delay_s: float = 0.0

    def hear(self, task: Task, at_s: float) -> tuple[Fact, float]:
        """The fact of a task, and how long it took."""
        self.asked.append(task)
        fact = self.answer(task, at_s)
        if fact is None:
            fact = self._usual(task)
        silent = (fact.kind == "tcp" and fact.connect == "silence") or (fact.kind == "udp" and fact.reply == "silence")
        if fact.kind == "dns":
            return fact, self.dns_delay_s
        return fact, 4.5 if silent else 60.0 if fact.kind == "rtp-sweep" else 0.02

    def _usual(self, task: Task) -> Fact:
        match task.probe:
            case "dns.lookup":
                return self._name_server(task)
            case "control" | "tcp.connect":
                services = {443: "tls", 80: "http"}
                service = services.get(task.port or 0)
                return spoke(service) if service else TcpExchange(connect="silence", attempts=2, waited_s=9.0)
            case "udp.ask":
                return UdpExchange(reply="silence", tries=3, waited_s=2.4)
            case "rtp.sweep":
                return silent_sweep()
            case "http.ask" | "http":
                return self._web(task)
            case "tls.ask":
                return TlsServer(chain=self.chain).answer(task.params)
            case "tls.second-opinion":
                return TlsSecondOpinion(engine="sslyze", reached=True, highest_version="TLSv1.3")
        raise AssertionError(task)

    def _name_server(self, task: Task) -> DnsReply:
        rdtype = str(task.params["rdtype"])
        name = canonical_name(str(task.params["name"]))
        records = tuple(
            DnsRecord(name=name, rdtype=rdtype, ttl=300, data=address) for address in self.names.get(rdtype, ())
        )
        return DnsReply(
            name=name,
            rdtype=rdtype,
            server=RESOLVER,
            transport="udp",
            outcome="answer",
            rcode="NOERROR",
            flags=("qr", "rd", "ra"),
            records=records,
        )

    def _web(self, task: Task) -> Fact:
        assert task.address is not None
        assert task.port is not None
        scheme = "http" if task.params["channel"] == "http" else "https"
        own = task.params.get("agent", "own")
        asked = Asked(task.address, task.port, scheme, str(task.params["target"]), own == "browser", len(self.asked))
        return exchange_of(asked, self.sites[task.port, scheme](asked))


@dataclass(frozen=True)
class _Context:
    """What a probe gets: controls connect through it, other probes ask the host directly."""

    host: MadeUpHost
    task: Task
    clock: VirtualClock
    wall: ScopeWall
    run_id: str = "test"
    user_agent: str = "test"
    random: random.Random = field(default_factory=lambda: random.Random(0))

    def monotonic(self) -> float:
        return self.clock.monotonic()

    async def connect(self, address: str, port: int, *, timeout_s: float = 4.5, **_: object) -> Any:
        fact = await self.ask()
        assert fact.kind == "tcp"
        if fact.connect == "accepted":
            return mock.Mock(attempts=1)
        return NotConnected(fact.connect, fact.icmp, 1, timeout_s)

    async def ask(self) -> Fact:
        task = self.task
        if task.address is not None and task.port is not None and task.transport is not None:
            self.wall.check(task.address, task.port, task.transport)
        fact, took_s = self.host.hear(task, self.clock.monotonic())
        await self.clock.sleep(took_s)
        return fact


class _NoPace:
    """Everybody's turn at once."""

    def __init__(self, *_: object) -> None:
        return

    @contextlib.asynccontextmanager
    async def turn(self, *_: object, **__: object) -> AsyncIterator[None]:
        yield

    async def aclose(self) -> None:
        return


async def _observe(context: Context, task: Task) -> Fact:
    assert isinstance(context, _Context)
    return await context.ask()


def specs(observe: Callable[[Context, Task], Awaitable[Fact]] = _observe) -> tuple[ProbeSpec, ...]:
    """All probes, asking the made-up host instead of the network."""
    return tuple(dataclasses.replace(spec, observe=observe) for spec in SPECS)


@contextlib.contextmanager
def made_up_network(host: MadeUpHost, clock: VirtualClock) -> Iterator[None]:
    """While it lasts, scans meet this host and no network."""

    def context(runtime: Runtime, task: Task) -> _Context:
        return _Context(host, task, clock, runtime.wall)

    def reach(address: str, **_: object) -> FamilyReach:
        return FamilyReach(family=family_of(address), usable=True, source_address=address)

    with (
        mock.patch.object(Runtime, "context", context),
        mock.patch("flexiscan.api.scan.load_probes", specs),
        mock.patch("flexiscan.api.scan.Pace", _NoPace),
        mock.patch("flexiscan.api.scan.reach", reach),
    ):
        yield


def request_for(record_folder: Path, *targets: Target, **changes: Any) -> ScanRequest:
    """A request for the made-up host."""
    scope = Scope(
        authorisation=Authorisation(authorised_by="test"),
        targets=targets or (Target(host=HOST),),
        assume_public=ASSUME_PUBLIC,
        **{key: changes.pop(key) for key in ("exclude_ports", "exclude_networks") if key in changes},
    )
    anchors = {"ca_bundle_pem": root().pem, "ca_bundle_name": "test"}
    usual: dict[str, Any] = {"scope": scope, "record_folder": record_folder, "resolvers": (RESOLVER,), "seed": 7}
    return ScanRequest(**{**usual, **anchors, **changes})


def scan_host(host: MadeUpHost, request: ScanRequest, watch: Watch | None = None) -> ResultDocument:
    """Scan the host in virtual time."""
    clock = VirtualClock(cert_chains.NOW)
    with made_up_network(host, clock):
        return run_virtually(scan(request, watch, clock=clock))

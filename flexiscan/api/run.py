"""One execution of a request: its identity, its first checks, its wall, and which tasks its rules need."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flexiscan.api.raw_evidence import check_right
from flexiscan.api.request import ScanRequest
from flexiscan.api.witness import keys_of_code
from flexiscan.engine.runtime import Journal, Runtime
from flexiscan.engine.scan_host import Wanted, WantedIn
from flexiscan.errors import ScopeRefused, UsageError
from flexiscan.identity import tool_version, user_agent
from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.profile import Profile
from flexiscan.model.result import AuthorisationShown, Guide, RunFacts, Tool
from flexiscan.model.target import Target
from flexiscan.net.clock import Clock
from flexiscan.net.error_queue import IS_AVAILABLE
from flexiscan.net.own_prefix import is_own, read_prefix
from flexiscan.net.pace import Pace
from flexiscan.net.raw.link import RawLink
from flexiscan.net.time_window import read_time_window
from flexiscan.net.wall import Opening, ScopeWall, open_dns_server, open_target
from flexiscan.policy.dns.address_class import is_public
from flexiscan.policy.evaluate import facts_of
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rule import Ground, accepted_ports, listed_ports
from flexiscan.policy.rules import RULES
from flexiscan.policy.selection import Selection, asks_addresses, wanted_tasks
from flexiscan.store.events import RunStarted


@dataclass(frozen=True, slots=True)
class Run:
    """What is fixed for a whole run."""

    request: ScanRequest
    clock: Clock
    profile: Profile
    start: RunStarted
    began_s: float
    """The start on the monotonic clock."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For probes; never in a plan, a record or a report."""

    @staticmethod
    def begin(request: ScanRequest, clock: Clock) -> Run:
        """Check what must be refused before anything is sent. Raises UsageError or ScopeRefused."""
        profile = load_profile()
        _check(request, profile, clock)
        now, began_s = clock.now(), clock.monotonic()
        run_id = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        facts = RunFacts(
            id=run_id,
            started=now,
            depth=request.depth,
            seed=secrets.randbits(32) if request.seed is None else request.seed,
            pace=request.scope.rates.model_dump(),
            raw=request.raw,
            intrusive=request.intrusive,
        )
        authorisation = request.scope.authorisation.model_dump()
        trust = {"ca_bundle_pem": request.ca_bundle_pem, "ca_bundle_name": request.ca_bundle_name}
        start = RunStarted(
            tool=Tool(version=tool_version()),
            guide=Guide(title=profile.guide_title, release=profile.guide_release),
            run=facts,
            authorisation=AuthorisationShown(**authorisation, scope_sha256=request.scope_sha256),
            scope=request.scope,
            only=request.only,
            skip=request.skip,
            families=request.families,
            sight="full" if IS_AVAILABLE else "limited",
            source_prefix=request.source_prefix,
            judge_options={
                **(trust if request.ca_bundle_pem is not None else {}),
                **({} if request.vantage is None else {"vantage": dict(request.vantage)}),
                **({"proofs": [proof.model_dump(mode="json") for proof in request.proofs]} if request.proofs else {}),
            },
        )
        return Run(request, clock, profile, start, began_s, _secrets(request))

    def runtime(self, pace: Pace, journal: Journal, raw: RawLink | None = None) -> Runtime:
        """What the tasks of a host share; its wall is open for the resolvers alone."""
        return Runtime(
            run_id=self.start.run.id,
            user_agent=user_agent(self.start.run.id),
            seed=self.start.run.seed,
            began=self.start.run.started,
            began_s=self.began_s,
            clock=self.clock,
            pace=pace,
            wall=self.wall,
            journal=journal,
            secrets=self.secrets,
            raw=raw,
        )

    @property
    def wall(self) -> ScopeWall:
        """Before the addresses are known: open for the resolvers alone."""
        return self._wall()

    def wall_for(self, target: Target, addresses: tuple[TargetAddress, ...]) -> ScopeWall:
        """The wall once the addresses are known: open for them too, inside the agreed window."""
        holes = [hole for a in addresses for hole in open_target(a.address, window=target.window)]
        return self._wall(*holes)

    def is_public(self, address: str) -> bool:
        """Whether an address counts as public in this run."""
        return is_public(address, self.request.scope.assume_public)

    def options(self) -> dict[str, Any]:
        """Run options that the plans of probes may read."""
        return {
            "resolvers": self.request.resolvers,
            "udp_pps": self.request.scope.rates.udp_pps,
            "second_opinion": self.request.second_opinion,
            "excluded_ports": self.request.scope.exclude_ports,
            "run_id": self.start.run.id,
            "raw": self.request.raw,
            "intrusive": self.request.intrusive,
            "run_clock": (self.start.run.started, self.began_s),
            "source_prefix": self.request.source_prefix,
            "icmp_told": IS_AVAILABLE,
            "witness_control_port": None if self.request.witness_code is None else self.request.witness_control_port,
        }

    @property
    def asks_addresses(self) -> bool:
        """Whether the selected rules look at the addresses, and not at the name alone."""
        return asks_addresses(RULES, self._selection)

    @property
    def _selection(self) -> Selection:
        return Selection(self.request.only, self.request.skip)

    def wanted_in(self, target: Target) -> WantedIn:
        """Which tasks the selected rules need: nothing else is sent."""
        selection = self._selection

        def wanted_in(
            usable: tuple[TargetAddress, ...], tasks: Mapping[str, Task], seen: Mapping[str, Observation]
        ) -> Wanted:
            if not selection.only and not selection.skip:
                return lambda _: True
            facts = facts_of(tasks, seen).values()
            ports, listed = accepted_ports(usable, facts), listed_ports(facts)
            ground = Ground(target, self.request.scope, self.profile, usable, self.request.depth, ports, listed)
            return wanted_tasks(RULES, selection, ground).includes

        return wanted_in

    def _wall(self, *openings: Opening) -> ScopeWall:
        scope = self.request.scope
        resolvers = [hole for server in self.request.resolvers for hole in _resolver_openings(server)]
        return ScopeWall(
            [*resolvers, *openings],
            exclude_networks=scope.exclude_networks,
            exclude_ports=scope.exclude_ports,
            clock=self.clock,
        )


def _secrets(request: ScanRequest) -> dict[str, str]:
    return {} if request.witness_code is None else {"witness": keys_of_code(request.witness_code).as_text()}


def _resolver_openings(server: str) -> tuple[Opening, Opening]:
    address, _, port = server.rpartition("#")
    return open_dns_server(address.strip("[]"), port=int(port))


def _check_test_calls(request: ScanRequest, clock: Clock) -> None:
    """Raises UsageError where no call is agreed to, ScopeRefused where the time for it is over."""
    if "rtp-bleed" not in request.intrusive:
        return
    calls = [(target.host, target.test_call) for target in request.scope.targets if target.test_call is not None]
    if not calls:
        raise UsageError(
            "--intrusive rtp-bleed needs a test call that somebody agreed to; nothing was sent",
            "declare it as test_call under [[target]] of the scope file: docs/rtp-bleed.md",
        )
    for host, call in calls:
        if call.until <= clock.now():
            until = call.until.isoformat(timespec="minutes")
            raise ScopeRefused(
                f"{host}: the test call was agreed to until {until}; nothing was sent",
                "agree on a new one, or leave out --intrusive",
            )


def _check(request: ScanRequest, profile: Profile, clock: Clock) -> None:
    if request.raw:
        check_right()
    if request.source_prefix is not None:
        _check_source_prefix(request.source_prefix, request)
    known = [entry.id for entry in profile.rules]
    unmatched = Selection(request.only, request.skip).unmatched(known)
    if unmatched:
        raise UsageError(f"no rule matches {', '.join(unmatched)}", "see: flexiscan rules")
    _check_test_calls(request, clock)
    for attestation in request.scope.attestations:
        if attestation.rule not in known:
            raise UsageError(f"the scope file attests {attestation.rule!r}, which is no rule", "see: flexiscan rules")
    for target in request.scope.targets:
        if target.window and not read_time_window(target.window).contains(clock.now()):
            raise ScopeRefused(
                f"{target.host}: it is now outside the agreed window {target.window}", "scan inside the window"
            )


def _check_source_prefix(text: str, request: ScanRequest) -> None:
    """Asks the routing table alone. Whether answers come back is for the sweep to find out."""
    try:
        prefix = read_prefix(text)
    except ValueError as error:
        raise UsageError(
            f"--source-prefix {text!r}: {error}", "write an IPv6 prefix such as 2001:db8:a:b::/64"
        ) from error
    if "ipv6" not in request.families:
        raise UsageError("--source-prefix is for IPv6, which -4 leaves out", "leave out one of the two")
    if not is_own(prefix):
        raise UsageError(
            f"--source-prefix {prefix}: this machine does not take its addresses for its own",
            f"have the prefix routed to this machine, then: ip -6 route add local {prefix} dev lo",
        )

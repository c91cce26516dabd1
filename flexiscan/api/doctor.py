"""What this machine and its network can see: asked before a scan, so that its verdicts can be understood.

Packets go to the configured resolvers, and to the control host if the user names one; to nobody else.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from flexiscan.api.doctor_dns import State, check_resolvers
from flexiscan.api.doctor_egress import BlindSpan, ControlHost, check_egress
from flexiscan.errors import ScopeRefused, UsageError
from flexiscan.host_name import is_loopback
from flexiscan.model.endpoint import Family, family_of
from flexiscan.net.clock import Clock
from flexiscan.net.error_queue import IS_AVAILABLE
from flexiscan.net.raw_right import try_raw_socket
from flexiscan.net.reach import reach
from flexiscan.net.wall import Opening, ScopeWall, open_dns_server, open_target

# Documentation addresses (RFC 5737, RFC 3849): only asked of the routing table, never sent to.
_ROUTE_QUESTIONS: Final = (("ipv4", "192.0.2.1"), ("ipv6", "2001:db8::1"))
_RELEASED: Final = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
"""This version did not exist before."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, what was seen, what it means for verdicts, and what to do about it."""

    name: str
    state: State
    seen: str
    means: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that the doctor found. `blind`: ports that do not get out of this network."""

    made: dt.datetime
    checks: tuple[Check, ...]
    blind: tuple[BlindSpan, ...] = ()
    reached: tuple[BlindSpan, ...] = ()
    """Ports that provably get out."""

    @property
    def exit_code(self) -> int:
        """0, or 3 when verdicts of a scan from here would be incomplete."""
        return 3 if any(check.state == "failed" for check in self.checks) else 0


@dataclass(frozen=True, slots=True)
class DoctorRequest:
    """What to look at."""

    resolvers: tuple[str, ...] = ()
    """ADDR#PORT."""
    control_hosts: tuple[str, ...] = ()
    """Literal addresses: what gets out is asked of each family by itself."""
    authorised_by: str = ""
    witness_code: str | None = field(default=None, repr=False)


async def diagnose(
    request: DoctorRequest, clock: Clock | None = None, *, step: Callable[[str], None] = lambda _: None
) -> Diagnosis:
    """Look. `step` is told what is looked at now. Raises UsageError or ScopeRefused before anything is sent."""
    clock = clock or Clock()
    controls = [_control_host(text, request) for text in request.control_hosts]
    wall = ScopeWall(_openings(request, controls), clock=clock)
    checks = [*_families(), *_own_rights(), _clock_hint(clock.now())]
    blind: list[BlindSpan] = []
    reached: list[BlindSpan] = []
    with wall.enforced():
        step(f"asking {', '.join(request.resolvers) or 'no resolver'}")
        checks += [Check(*told) for told in await check_resolvers(request.resolvers, clock.now())]
        for control in controls:
            step(f"trying the guide's ports towards {control.address}")
            egress = await check_egress(control, wall, clock)
            checks += [Check(*line) for line in egress.lines]
            blind += egress.blind
            reached += egress.reached
    checks += _without_control_host({family_of(control.address) for control in controls})
    return Diagnosis(clock.now(), tuple(checks), tuple(blind), tuple(reached))


def _control_host(text: str, request: DoctorRequest) -> ControlHost:
    """A control host that may be asked."""
    try:
        address = str(ipaddress.ip_address(text.strip("[]")))
    except ValueError as error:
        raise UsageError(f"--control-host {text!r} is not an address", "write an address") from error
    if not is_loopback(address) and not request.authorised_by.strip():
        raise ScopeRefused(
            f"nobody has allowed questions to {address}; nothing was sent", "say who did: --authorised-by TEXT"
        )
    return ControlHost(address, request.witness_code)


def _openings(request: DoctorRequest, controls: Iterable[ControlHost]) -> Iterable[Opening]:
    for server in request.resolvers:
        address, _, port = server.rpartition("#")
        yield from open_dns_server(address.strip("[]"), port=int(port))
    for control in controls:
        yield from open_target(control.address)


def _families() -> Iterable[Check]:
    for family, question in _ROUTE_QUESTIONS:
        name = "IPv4" if family == "ipv4" else "IPv6"
        found = reach(question)
        if found.usable and found.source_address is not None:
            translated = family == "ipv4" and not ipaddress.ip_address(found.source_address).is_global
            seen = f"packets would leave from {found.source_address}"
            yield Check(name, "ok", seen + (", which is translated on the way" if translated else ""))
        else:
            yield Check(
                name,
                "failed",
                "no usable address, or no route",
                f"every verdict about an {name} address will be inconclusive",
                f"scan from a network that has {name}",
            )


def _own_rights() -> Iterable[Check]:
    try:
        try_raw_socket()
    except PermissionError:
        yield Check(
            "raw sockets",
            "limited",
            "not allowed",
            "verdicts are the same, with less evidence beside them",
            "for --raw: run as root, or with CAP_NET_RAW",
        )
    except OSError as error:
        yield Check("raw sockets", "limited", error.strerror or str(error), "as without the right to open them")
    else:
        yield Check("raw sockets", "ok", "allowed")
    if IS_AVAILABLE:
        yield Check("ICMP errors", "ok", "this system hands them over")
    else:
        means = "who refused a packet is not told: more verdicts are tentative or inconclusive"
        yield Check("ICMP errors", "limited", "this system keeps them to itself", means, "scan from Linux")


def _clock_hint(now: dt.datetime) -> Check:
    if now >= _RELEASED:
        return Check("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC; not before this version was made")
    return Check(
        "clock",
        "failed",
        f"{now:%Y-%m-%d %H:%M:%S} UTC, before this version was made",
        "verdicts about certificates, signatures and time windows would be wrong",
        "set the clock",
    )


def _without_control_host(known: set[Family]) -> list[Check]:
    """One line for what nobody was named for."""
    missing = [name for family, name in (("ipv4", "IPv4"), ("ipv6", "IPv6")) if family not in known]
    if not missing:
        return []
    return [
        Check(
            f"ways out, {' and '.join(missing)}",
            "limited",
            "not looked at: no control host was named",
            "a port that this network lets nobody reach looks like one that the server's firewall blocks",
            "name a machine of yours outside: --control-host ADDR, with a witness on it (--witness CODE)",
        )
    ]

"""Shows what a scan would do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flexiscan.api import Estimate, ScanRequest
    from flexiscan.api.dry_run import HostEstimate


def describe(estimate: Estimate, request: ScanRequest) -> str:
    """Every endpoint, the packets, the requests and the shortest duration, as text."""
    rates = request.scope.rates
    lines = ["dry run: nothing was sent, not even a DNS question"]
    for host in estimate.hosts:
        lines.extend(_host(host))
        lines.extend(_test_call(host, request))
    lines.append("")
    lines.append(
        f"caps: {rates.udp_pps} datagrams/s an address, {rates.http_rps} HTTP requests/s and "
        f"{rates.tls_concurrency} TLS handshakes at once a name"
    )
    if request.source_prefix is not None:
        lines.append(
            f"sources: where ICMP errors come back over IPv6, each datagram of the media sweep leaves from another "
            f"address of {request.source_prefix}, if a connect from there is answered"
        )
    lines.append(f"pacing floor: {estimate.floor_s:.1f} s (shortest duration that the caps and waits allow)")
    return "\n".join(lines)


def _host(host: HostEstimate) -> Iterable[str]:
    yield ""
    yield host.host
    if host.addresses:
        yield f"  addresses: {', '.join(host.addresses)}"
    else:
        yield "  addresses: known after DNS; one of each family is assumed here"
    by_place: dict[tuple[str, str], list[int]] = {}
    for endpoint in host.endpoints:
        by_place.setdefault((endpoint.address, endpoint.transport), []).append(endpoint.port)
    for (address, transport), ports in by_place.items():
        shown = address if host.addresses else ("each IPv6 address" if ":" in address else "each IPv4 address")
        yield f"  {shown} {transport}: {_ranges(ports)}"
    for plan in host.plans:
        for task in plan.tasks:
            if task.port is None and task.transport == "udp" and task.address is not None:
                shown = task.address if host.addresses else "each address"
                yield f"  {shown} udp: {task.params.get('first_port')}-{task.params.get('last_port')} (sampled)"
    yield (
        f"  about {host.packets} first packets, {host.requests} HTTP requests, {host.handshakes} TLS handshakes "
        f"and more that depend on answers; at least {host.floor_s:.1f} s"
    )


def _test_call(host: HostEstimate, request: ScanRequest) -> Iterable[str]:
    """What is done to the agreed call, in so many words."""
    tasks = [task for plan in host.plans for task in plan.tasks if task.role == "rtp-bleed"]
    for target in request.scope.targets:
        if target.host == host.host and target.test_call is not None and tasks:
            agreed = target.test_call
            places = ", ".join(f"{task.address} udp {task.port}" for task in tasks)
            yield f"  intrusive rtp-bleed: up to {tasks[0].datagrams} voice packets to each of {places}"
            yield f"    agreed by {agreed.agreed_by}, until {agreed.until.isoformat(timespec='minutes')}"


def _ranges(ports: list[int]) -> str:
    return ", ".join(str(port) for port in sorted(set(ports)))

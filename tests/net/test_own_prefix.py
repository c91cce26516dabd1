"""Sending from a prefix that is routed here, with real routes and real ICMP limits, in namespaces."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from ipaddress import IPv6Network

import pytest

from flexiscan.net.clock import Clock
from flexiscan.net.datagram import open_port
from flexiscan.net.dial import StreamConnection, connect
from flexiscan.net.link import CannotLook, Datagram, IcmpNotice, NotConnected
from flexiscan.net.own_prefix import is_own, read_prefix
from tests.net import netns
from tests.net.local_parts import pace_of, wall_of
from tests.net.netns import SCANNER, TARGET, Ground

OURS = IPv6Network("2001:db8:a::/64")
ELSEWHERE = IPv6Network("2001:db8:b::/64")
"""Ours too, but the firewall has no route for it."""
PORTS = range(40000, 40060)


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with netns.ground() as made:
        for prefix in (OURS, ELSEWHERE):
            made.scanner.run("ip", "-6", "route", "add", "local", str(prefix), "dev", "lo")
        made.firewall.run("ip", "-6", "route", "add", str(OURS), "via", SCANNER["ipv6"])
        made.scanner.run_async(first_answer)
        made.target.run("sysctl", "-qw", "net.ipv6.icmp.ratelimit=1000")
        yield made


async def first_answer() -> None:
    """Links that have just come up take a moment to find their neighbours."""
    async with open_port(TARGET["ipv6"], pace=pace_of(), wall=wall_of(TARGET["ipv6"]), clock=Clock()) as link:
        for number in range(100, 200):
            await link.send(b"?", port=9, source=str(OURS[number]))
            if await link.next(timeout_s=0.1) is not None:
                return
    raise AssertionError("the target does not answer to the prefix")


def answered(ground: Ground, prefix: IPv6Network | None) -> set[int]:
    """Ports that the target called unreachable, each asked once."""

    async def ask() -> set[int]:
        seen = set()
        pace, wall = pace_of(200), wall_of(TARGET["ipv6"])
        async with open_port(TARGET["ipv6"], pace=pace, wall=wall, clock=Clock()) as link:
            for number, port in enumerate(PORTS, start=1):
                await link.send(b"?", port=port, source=None if prefix is None else str(prefix[number]))
            while isinstance(event := await link.next(timeout_s=0.5), IcmpNotice):
                assert event.icmp.meaning == "port-unreachable"
                assert event.quoted == b"?"
                seen.add(event.to_port)
        return seen

    return ground.scanner.run_async(ask)


@pytest.mark.netns
@pytest.mark.scenario
def test_a_fresh_source_for_every_datagram_is_never_limited(ground: Ground) -> None:
    assert len(answered(ground, None)) < len(PORTS) / 2
    assert answered(ground, OURS) == set(PORTS)
    assert answered(ground, ELSEWHERE) == set()


@pytest.mark.netns
@pytest.mark.scenario
def test_data_to_any_source_arrives_at_the_one_socket(ground: Ground) -> None:
    def echo() -> socket.socket:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind((TARGET["ipv6"], 41000))
        sock.settimeout(5)
        return sock

    async def ask(server: socket.socket) -> list[str]:
        sources = []
        async with open_port(TARGET["ipv6"], pace=pace_of(), wall=wall_of(TARGET["ipv6"]), clock=Clock()) as link:
            for number in (7, 8):
                await link.send(b"question", port=41000, source=str(OURS[number]))
                _, asker = server.recvfrom(100)
                sources.append(asker[0])
                server.sendto(b"answer", asker)
                answer = await link.next(timeout_s=5)
                assert isinstance(answer, Datagram)
                assert (answer.from_port, answer.data) == (41000, b"answer")
        return sources

    with contextlib.closing(ground.target.call(echo)) as server:
        assert ground.scanner.run_async(lambda: ask(server)) == [str(OURS[7]), str(OURS[8])]


@pytest.mark.netns
@pytest.mark.scenario
@pytest.mark.parametrize(("prefix", "reached"), [(OURS, True), (ELSEWHERE, False)])
def test_a_connection_from_the_prefix(ground: Ground, prefix: IPv6Network, reached: bool) -> None:
    async def dial() -> StreamConnection | NotConnected:
        source = str(prefix[99])
        wall = wall_of(TARGET["ipv6"])
        return await connect(TARGET["ipv6"], 443, timeout_s=2.5, source=source, pace=pace_of(), wall=wall)

    with ground.listen(TARGET["ipv6"], 443) as server:
        outcome = ground.scanner.run_async(dial)
        assert isinstance(outcome, StreamConnection) == reached
        if isinstance(outcome, StreamConnection):
            accepted, caller = server.accept()
            assert caller[0] == str(prefix[99])
            accepted.close()
            outcome.close()
        else:
            assert outcome.outcome == "silence"


@pytest.mark.netns
@pytest.mark.scenario
def test_our_own_filter_is_no_answer_from_a_source_of_the_prefix_either(ground: Ground) -> None:
    async def ask() -> None:
        async with open_port(TARGET["ipv6"], pace=pace_of(), wall=wall_of(TARGET["ipv6"]), clock=Clock()) as link:
            await link.send(b"?", port=netns.OWN_REJECT, source=str(OURS[1]))
            await link.next(timeout_s=0.5)

    with pytest.raises(CannotLook) as caught:
        ground.scanner.run_async(ask)
    assert caught.value.reason == "no-privilege"


@pytest.mark.netns
@pytest.mark.scenario
def test_whether_a_prefix_is_ours_is_asked_of_the_routes(ground: Ground) -> None:
    assert ground.scanner.call(lambda: is_own(OURS))
    assert not ground.scanner.call(lambda: is_own(IPv6Network("2001:db8:c::/64")))
    assert not ground.scanner.call(lambda: is_own(IPv6Network("2001:db8:a::/56"))), "only a part of it is routed here"
    assert not ground.scanner.call(lambda: is_own(IPv6Network("2001:db8:1::/64"))), "the link's own, shared with others"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2001:db8::/32", "/48 to /120"),
        ("2001:db8::/127", "/48 to /120"),
        ("2001:db8::1/64", "host bits"),
        ("192.0.2.0/24", "parts"),
        ("fe80::/64", "nobody outside"),
        ("ff02::/64", "nobody outside"),
        ("prefix", "prefix"),
    ],
)
def test_what_is_no_prefix_to_send_from(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_prefix(text)


def test_a_prefix_to_send_from() -> None:
    assert read_prefix("2001:db8:a::/64") == OURS

"""What a firewall, an absent host and our own packet filter look like, in namespaces, on both families."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from flexiscan.model.icmp import IcmpMeaning
from flexiscan.net.clock import Clock
from flexiscan.net.datagram import UdpPort, open_with_queue
from flexiscan.net.dial import StreamConnection, connect
from flexiscan.net.link import CannotLook, IcmpNotice, NotConnected
from flexiscan.net.reach import reach
from tests.net import netns
from tests.net.local_parts import pace_of, wall_of
from tests.net.netns import ABSENT, FIREWALL, SCANNER, TARGET, Ground

pytestmark = pytest.mark.netns
FAMILIES = ("ipv4", "ipv6")
CLOSED = 80
REJECTS: dict[int, IcmpMeaning] = {
    netns.PORT_UNREACHABLE: "port-unreachable",
    netns.PROHIBITED: "prohibited",
    netns.NO_ROUTE: "network-unreachable",
}


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with netns.ground() as made:
        yield made


def dialled(ground: Ground, address: str, port: int, **more: float) -> StreamConnection | NotConnected:
    timeout_s = more.get("timeout_s", 5.0)
    return ground.scanner.run_async(
        lambda: connect(address, port, timeout_s=timeout_s, pace=pace_of(), wall=wall_of(address))
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_an_open_port_accepts(ground: Ground, family: str) -> None:
    with ground.listen(TARGET[family], 443):
        outcome = dialled(ground, TARGET[family], 443)
    assert isinstance(outcome, StreamConnection)
    outcome.close()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("port", [CLOSED, netns.RESET])
def test_a_reset_by_host_or_firewall_is_a_reset(ground: Ground, family: str, port: int) -> None:
    outcome = dialled(ground, TARGET[family], port)
    assert isinstance(outcome, NotConnected)
    assert (outcome.outcome, outcome.icmp) == ("reset", None)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("port", REJECTS)
def test_an_icmp_reject_is_named_on_the_first_syn(ground: Ground, family: str, port: int) -> None:
    """The kernel gives both a reset and "port unreachable" as ECONNREFUSED, and may keep quiet until the next SYN."""
    outcome = dialled(ground, TARGET[family], port)
    assert isinstance(outcome, NotConnected)
    assert outcome.outcome == "icmp"
    assert outcome.icmp is not None
    assert (outcome.icmp.meaning, outcome.icmp.offender) == (REJECTS[port], FIREWALL[family])
    assert outcome.icmp.hop_limit == 64
    assert outcome.waited_s < 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_a_drop_is_silence(ground: Ground, family: str) -> None:
    outcome = dialled(ground, TARGET[family], netns.DROPPED, timeout_s=1.3)
    assert isinstance(outcome, NotConnected)
    assert (outcome.outcome, outcome.icmp) == ("silence", None)
    assert 1.3 <= outcome.waited_s < 2


@pytest.mark.parametrize("family", FAMILIES)
def test_an_absent_host_is_named_by_the_last_router(ground: Ground, family: str) -> None:
    outcome = dialled(ground, ABSENT[family], CLOSED, timeout_s=8)
    assert isinstance(outcome, NotConnected)
    assert outcome.icmp is not None
    assert (outcome.icmp.meaning, outcome.icmp.offender) == ("host-unreachable", FIREWALL[family])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("port", [netns.OWN_REJECT, netns.OWN_DROP])
def test_our_own_packet_filter_is_no_firewall_of_the_target(ground: Ground, family: str, port: int) -> None:
    """Silence or "prohibited" made by the scanner itself would otherwise pass for a filtered port."""
    with pytest.raises(CannotLook) as caught:
        dialled(ground, TARGET[family], port, timeout_s=1.6)
    assert caught.value.reason == "no-privilege"


def test_without_a_route_nobody_can_look(ground: Ground) -> None:
    """The firewall has no default route."""
    for address in ("203.0.113.1", "2001:db8:9::1"):
        with pytest.raises(CannotLook) as caught:
            ground.firewall.run_async(lambda a=address: connect(a, 80, pace=pace_of(), wall=wall_of(a)))  # type: ignore[misc]
        assert caught.value.reason == "no-route"
        with pytest.raises(CannotLook) as caught:
            ground.firewall.run_async(lambda a=address: _opened(a))  # type: ignore[misc]
        assert caught.value.reason == "no-route"
        assert not ground.firewall.call(lambda a=address: reach(a)).usable  # type: ignore[misc]


async def _opened(address: str) -> UdpPort:
    return open_with_queue(address, pace=pace_of(), wall=wall_of(address), clock=Clock())


def test_documentation_addresses_serve_where_they_count_as_public(ground: Ground) -> None:
    for family, network in (("ipv4", "198.51.100.0/24"), ("ipv6", "2001:db8::/32")):
        found = ground.scanner.call(lambda f=family, n=network: reach(TARGET[f], assume_public=(n,)))  # type: ignore[misc]
        assert found.usable
        assert found.source_address == SCANNER[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_datagrams_get_their_icmp_with_sender_and_distance(ground: Ground, family: str) -> None:
    async def ask() -> dict[int, IcmpNotice]:
        notices = {}
        async with await _opened(TARGET[family]) as port:
            for asked in (CLOSED, *REJECTS, netns.DROPPED):
                await port.send(b"12345678", port=asked)
            while (event := await port.next(timeout_s=0.3)) is not None:
                assert isinstance(event, IcmpNotice)
                notices[event.to_port] = event
        return notices

    notices = ground.scanner.run_async(ask)
    assert set(notices) == {CLOSED, *REJECTS}
    closed = notices[CLOSED]
    assert (closed.icmp.meaning, closed.icmp.offender, closed.icmp.hop_limit) == (
        "port-unreachable",
        TARGET[family],
        63,
    )
    assert closed.quoted == b"12345678"
    for asked, meaning in REJECTS.items():
        assert (notices[asked].icmp.meaning, notices[asked].icmp.offender) == (meaning, FIREWALL[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_short_lived_datagram_is_named_by_the_router(ground: Ground, family: str) -> None:
    async def ask() -> object:
        async with await _opened(TARGET[family]) as port:
            await port.send(b"x", port=netns.DROPPED, hop_limit=1)
            return await port.next(timeout_s=5)

    notice = ground.scanner.run_async(ask)
    assert isinstance(notice, IcmpNotice)
    assert (notice.icmp.meaning, notice.icmp.offender) == ("time-exceeded", FIREWALL[family])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("port", [netns.OWN_REJECT, netns.OWN_DROP])
def test_our_own_packet_filter_stops_datagrams_audibly(ground: Ground, family: str, port: int) -> None:
    async def ask() -> None:
        async with await _opened(TARGET[family]) as ours:
            await ours.send(b"x", port=port)

    with pytest.raises(CannotLook) as caught:
        ground.scanner.run_async(ask)
    assert caught.value.reason == "no-privilege"


def test_connects_side_by_side_keep_their_answers_apart(ground: Ground) -> None:
    ports = [CLOSED, netns.RESET, *REJECTS] * 8

    async def ask() -> list[StreamConnection | NotConnected]:
        pace, wall = pace_of(), wall_of(TARGET["ipv4"])
        return await asyncio.gather(*(connect(TARGET["ipv4"], port, pace=pace, wall=wall) for port in ports))

    for port, outcome in zip(ports, ground.scanner.run_async(ask), strict=True):
        assert isinstance(outcome, NotConnected)
        meaning = None if outcome.icmp is None else outcome.icmp.meaning
        assert meaning == REJECTS.get(port)

"""Single SYNs side by side: what comes back is told apart, and exactly one packet leaves for each."""

from __future__ import annotations

import asyncio
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from unittest import mock

import pytest

from flexiscan.net import handshake, knock_port
from flexiscan.net.clock import Clock
from flexiscan.net.dial import connect
from flexiscan.net.knock_port import KnockPort, open_knocks
from flexiscan.net.link import CannotLook, Knock, NotConnected
from flexiscan.net.wall import ScopeWall, open_target
from tests.net import netns
from tests.net.listeners import free_port
from tests.net.local_parts import LOOPBACK, pace_of, wall_of
from tests.net.netns import FIREWALL, TARGET, Ground
from tests.net.test_pace_on_the_wire import open_capture, stamps_of

FAMILIES = ("ipv4", "ipv6")
CLOSED = 80
RATE = 400
SILENT_KNOCKS = 1000


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with netns.ground() as made:
        yield made


def opened(address: str, rate: int = 2000, wall: ScopeWall | None = None) -> KnockPort:
    return open_knocks(address, pace=pace_of(rate), wall=wall or wall_of(address), clock=Clock())


async def knock(address: str, ports: Sequence[int], wall: ScopeWall | None = None) -> dict[int, Knock]:
    async with opened(address, wall=wall) as link:
        for port in ports:
            await link.send(port)
        await link.settle()
        answers = link.take()
        assert link.syns == len(ports) == len(answers)
        return {answer.port: answer for answer in answers}


@pytest.mark.netns
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_told_apart(ground: Ground, family: str) -> None:
    ports = (443, CLOSED, netns.RESET, netns.PORT_UNREACHABLE, netns.PROHIBITED, netns.NO_ROUTE, netns.DROPPED)

    async def warmed_up() -> dict[int, Knock]:
        """Neighbours are found with a connect that waits longer."""
        address = TARGET[family]
        link = await connect(address, 443, timeout_s=8, pace=pace_of(), wall=wall_of(address))
        assert not isinstance(link, NotConnected)
        link.close()
        return await knock(address, ports)

    with ground.listen(TARGET[family], 443):
        found = ground.scanner.run_async(warmed_up)
    assert [found[port].outcome for port in ports] == ["accepted", "reset", "reset", "icmp", "icmp", "icmp", "silence"]
    errors = [found[port].icmp for port in ports[3:6]]
    assert [error and error.meaning for error in errors] == ["port-unreachable", "prohibited", "network-unreachable"]
    assert {error and error.offender for error in errors} == {FIREWALL[family]}
    assert 0.75 < found[netns.DROPPED].waited_s < 1.0


@pytest.mark.netns
@pytest.mark.parametrize("port", [netns.OWN_REJECT])
def test_our_own_packet_filter_is_no_answer(ground: Ground, port: int) -> None:
    with pytest.raises(CannotLook) as caught:
        ground.scanner.run_async(lambda: knock(TARGET["ipv4"], [port]))
    assert caught.value.reason == "no-privilege"


@pytest.mark.netns
def test_one_syn_for_each_knock_and_never_more_than_the_cap_in_a_second(ground: Ground) -> None:
    """The captured packets are first SYNs and repetitions alike."""
    capture = ground.firewall.call(open_capture)
    is_over = threading.Event()
    stamps: list[float] = []
    listening = threading.Thread(target=lambda: stamps.extend(stamps_of(capture, is_over)))
    listening.start()

    async def sweep() -> float:
        began_s = asyncio.get_running_loop().time()
        async with opened(TARGET["ipv4"], RATE) as link:
            for _ in range(SILENT_KNOCKS):
                await link.send(netns.DROPPED)
            await link.settle()
        return asyncio.get_running_loop().time() - began_s

    try:
        took_s = ground.scanner.run_async(sweep)
    finally:
        is_over.set()
        listening.join()
        capture.close()
    stamps.sort()
    most = max(bisect_right(stamps, start + 1.0) - position for position, start in enumerate(stamps))
    assert len(stamps) == SILENT_KNOCKS
    assert most <= RATE
    assert took_s < 1.35 * SILENT_KNOCKS / RATE + 1


async def test_a_late_close_is_paid_for_before_the_next_syn() -> None:
    """A stalled event loop lets the kernel repeat SYNs: each repetition takes a permit of its own."""
    address, port = LOOPBACK["ipv4"], free_port()
    async with opened(address) as link:
        with mock.patch.object(knock_port, "REPEATED_AFTER_S", -1.0):
            await link.send(port)
            await link.settle()
        with mock.patch.object(link._pace, "datagram", mock.AsyncMock(return_value=mock.Mock())) as permits:
            await link.send(port)
        assert permits.await_count == 2


async def test_descriptors_are_never_used_up() -> None:
    """No more sockets are open at once than the sweep was given, whatever is silent."""
    address = LOOPBACK["ipv4"]
    most: Counter[str] = Counter()
    with mock.patch.object(knock_port, "spare_descriptors", return_value=4 * knock_port.SHARES):
        link = opened(address)
    async with link:
        for port in range(20000, 20050):
            await link.send(port)
            most["open"] = max(most["open"], link.under_way)
        await link.settle()
        assert len(link.take()) == 50
    assert 0 < most["open"] <= 4


async def test_without_a_descriptor_it_waits_for_one() -> None:
    """The process may have none left although the sweep has not used its share."""
    address = LOOPBACK["ipv4"]
    original = handshake.open_stream
    tries = 0

    def open_stream(to: str):
        nonlocal tries
        tries += 1
        if tries == 2:
            raise OSError(24, "Too many open files")
        return original(to)

    async with opened(address) as link:
        with mock.patch.object(knock_port, "open_stream", open_stream):
            await link.send(20000)
            await link.send(20001)
        assert tries == 3
        await link.settle()
        assert sorted(answer.port for answer in link.take()) == [20000, 20001]


async def test_with_none_at_all_it_says_so() -> None:
    async with opened(LOOPBACK["ipv4"]) as link:
        with (
            mock.patch.object(knock_port, "open_stream", side_effect=OSError(24, "Too many open files")),
            mock.patch.object(knock_port, "_FULL_WAIT_S", 0.0),
            pytest.raises(CannotLook) as caught,
        ):
            await link.send(20000)
    assert caught.value.reason == "no-resource"


async def test_the_wall_stands_before_every_syn() -> None:
    address = LOOPBACK["ipv4"]
    wall = ScopeWall(open_target(address), exclude_ports=[20001])
    async with opened(address, wall=wall) as link:
        await link.send(20000)
        with pytest.raises(CannotLook) as caught:
            await link.send(20001)
        assert caught.value.reason == "outside-scope"
        assert link.syns == 1


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_socket_that_meets_itself_found_no_listener(family: str) -> None:
    """The kernel may give the very port that is asked as the local one."""
    address, port = LOOPBACK[family], free_port(LOOPBACK[family])
    original = handshake.open_stream

    def open_bound(to: str):
        sock = original(to)
        sock.bind((to, port))
        return sock

    with mock.patch.object(knock_port, "open_stream", open_bound):
        found = await knock(address, [port])
    assert found[port].outcome == "reset"


async def test_no_way_is_no_answer() -> None:
    with mock.patch.object(knock_port, "source_address", return_value=None), pytest.raises(CannotLook) as caught:
        opened("192.0.2.1")
    assert caught.value.reason == "no-route"
    with mock.patch.object(knock_port, "IS_AVAILABLE", False), pytest.raises(CannotLook) as caught:
        opened("192.0.2.1")
    assert caught.value.reason == "no-privilege"

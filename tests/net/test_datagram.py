"""Datagrams over loopback, both families. A closed port answers there with ICMP at once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Iterator

import pytest

from flexiscan.net import datagram
from flexiscan.net.clock import Clock
from flexiscan.net.datagram import UdpPort, open_port, open_with_queue
from flexiscan.net.error_queue import IS_AVAILABLE
from flexiscan.net.link import CannotLook, Datagram, IcmpNotice
from tests.net.local_parts import LOOPBACK, pace_of, wall_of

FAMILIES = tuple(LOOPBACK.values())
IP_RECVTTL = 12
needs_error_queue = pytest.mark.skipif(not IS_AVAILABLE, reason="the error queue is a thing of Linux")


def opened(address: str) -> UdpPort:
    return open_with_queue(address, pace=pace_of(), wall=wall_of(address), clock=Clock())


def answering(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    return sock


def closed_ports(address: str, count: int) -> list[int]:
    socks = [answering(address) for _ in range(count)]
    ports = [int(sock.getsockname()[1]) for sock in socks]
    for sock in socks:
        sock.close()
    return ports


@pytest.fixture(params=FAMILIES)
def peer(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with answering(request.param) as sock:
        yield sock


async def test_a_question_and_its_answer(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    async with opened(address) as ours:
        before_s = time.monotonic()
        await ours.send(b"question", port=port)
        question, asker = peer.recvfrom(100)
        peer.sendto(question[::-1], asker)
        answer = await ours.next(timeout_s=5)
    assert isinstance(answer, Datagram)
    assert (answer.from_address, answer.from_port, answer.data) == (address, port, b"noitseuq")
    assert before_s <= answer.at_s <= time.monotonic()


async def test_nothing_in_time_is_nothing(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    async with opened(address) as ours:
        await ours.send(b"question", port=port)
        assert await ours.next(timeout_s=0) is None
        assert await ours.next(timeout_s=0.01) is None


async def test_answers_from_elsewhere_are_evidence(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    with answering(address) as stranger:
        async with opened(address) as ours:
            await ours.send(b"question", port=port)
            stranger.sendto(b"alien", peer.recvfrom(100)[1])
            answer = await ours.next(timeout_s=5)
        assert isinstance(answer, Datagram)
        assert answer.from_port == stranger.getsockname()[1]


@needs_error_queue
@pytest.mark.parametrize("address", FAMILIES)
async def test_a_closed_port_is_named_by_icmp(address: str) -> None:
    (port,) = closed_ports(address, 1)
    async with opened(address) as ours:
        assert ours.icmp_visible
        await ours.send(b"question", port=port)
        notice = await ours.next(timeout_s=5)
    assert isinstance(notice, IcmpNotice)
    assert (notice.to_port, notice.quoted) == (port, b"question")
    assert (notice.icmp.meaning, notice.icmp.offender, notice.icmp.hop_limit) == ("port-unreachable", address, 64)


@needs_error_queue
@pytest.mark.parametrize("address", FAMILIES)
async def test_every_port_is_asked_although_errors_come_back_in_between(address: str) -> None:
    """After an ICMP error the next send fails without sending: a port would go unasked and look silent."""
    ports = closed_ports(address, 200)
    named: set[int] = set()
    async with opened(address) as ours:
        for port in ports:
            await ours.send(b"question", port=port)
        while len(named) < len(ports):
            notice = await ours.next(timeout_s=5)
            assert isinstance(notice, IcmpNotice)
            named.add(notice.to_port)
    assert named == set(ports)


@pytest.mark.parametrize("address", FAMILIES)
async def test_a_scan_of_this_machine_itself_does_not_meet_its_own_sockets(address: str) -> None:
    """From the dynamic range a socket would now and then get a port that is asked, and answer itself."""
    async with opened(address) as first, opened(address) as second:
        ports = [port._sock.getsockname()[1] for port in (first, second)]
    assert len(set(ports)) == 2
    assert all(port in datagram.ASIDE_PORTS for port in ports)


@needs_error_queue
async def test_errors_that_nobody_reads_cost_no_time() -> None:
    """An error queue left alone wakes the event loop without end."""
    (port,) = closed_ports("127.0.0.1", 1)
    async with opened("127.0.0.1") as ours:
        for _ in range(50):
            await ours.send(b"question", port=port)
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1

        loop = asyncio.get_running_loop()
        original = loop._run_once  # type: ignore[attr-defined]

        def run_once() -> None:
            count()
            original()

        loop._run_once = run_once  # type: ignore[attr-defined]
        assert await ours.next(timeout_s=5) is not None
        await asyncio.wait({asyncio.create_task(_idle())}, timeout=0.2)
        assert turns < 100


async def _idle() -> None:
    await asyncio.get_running_loop().create_future()


@needs_error_queue
@pytest.mark.parametrize("address", FAMILIES)
async def test_one_datagram_may_have_a_hop_limit_of_its_own(address: str) -> None:
    with answering(address) as peer:
        if ":" in address:
            peer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        else:
            peer.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        async with opened(address) as ours:
            await ours.send(b"near", port=peer.getsockname()[1], hop_limit=3)
            await ours.send(b"far", port=peer.getsockname()[1])
        limits = [int.from_bytes(peer.recvmsg(100, 100)[1][0][2], "little") for _ in range(2)]
    assert limits == [3, 64]


async def test_the_wall_stops_a_datagram() -> None:
    with answering("127.0.0.99") as outside:
        wall = wall_of("127.0.0.1")
        port = open_port("127.0.0.99", pace=pace_of(), wall=wall, clock=Clock())
        async with port:
            with pytest.raises(CannotLook) as caught:
                await port.send(b"question", port=outside.getsockname()[1])
        outside.setblocking(False)
        with pytest.raises(BlockingIOError):
            outside.recv(1)
    assert caught.value.reason == "outside-scope"
    assert len(wall.breaches) == 1


@pytest.mark.parametrize(
    ("number", "reason", "tries"),
    [(errno.EPERM, "no-privilege", 1), (errno.ENETUNREACH, "no-route", 5), (errno.EMFILE, "no-resource", 5)],
)
async def test_a_lasting_refusal_is_no_silence(number: int, reason: str, tries: int) -> None:
    calls = 0

    def refuse(*_: object) -> None:
        nonlocal calls
        calls += 1
        raise OSError(number, "refused here")

    async with opened("127.0.0.1") as ours:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ours, "_put", refuse)
            with pytest.raises(CannotLook) as caught:
                await ours.send(b"question", port=9)
    assert (caught.value.reason, calls) == (reason, tries)


async def test_a_full_send_buffer_is_waited_for(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    async with opened(address) as ours:
        put = ours._put
        refusals = [BlockingIOError(errno.EAGAIN, "full"), OSError(errno.ENOBUFS, "full")]

        def sometimes(payload: bytes, to_port: int, ancillary: list[tuple[int, int, bytes]]) -> None:
            if refusals:
                raise refusals.pop()
            put(payload, to_port, ancillary)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ours, "_put", sometimes)
            await ours.send(b"question", port=port)
    assert peer.recv(100) == b"question"


async def test_a_flood_stays_in_the_kernel(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datagram, "MAX_WAITING_EVENTS", 5)
        async with opened(address) as ours:
            await ours.send(b"question", port=port)
            asker = peer.recvfrom(100)[1]
            for number in range(20):
                peer.sendto(bytes([number]), asker)
            seen = []
            assert await ours.next(timeout_s=5) is not None
            assert len(ours._events) < 5
            while (event := await ours.next(timeout_s=0.05)) is not None:
                assert isinstance(event, Datagram)
                seen.append(event.data[0])
    assert seen == list(range(1, 20))


async def test_without_an_error_queue_the_port_says_that_icmp_is_hidden(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datagram, "IS_AVAILABLE", False)
        hidden = open_port(address, pace=pace_of(), wall=wall_of(address), clock=Clock())
    async with hidden as ours:
        assert not ours.icmp_visible
        await ours.send(b"question", port=port)
        peer.sendto(b"answer", peer.recvfrom(100)[1])
        answer = await ours.next(timeout_s=5)
    assert isinstance(answer, Datagram)
    assert answer.data == b"answer"


async def test_no_descriptor_is_no_fact_about_the_target() -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        patch.setattr(datagram, "source_address", lambda _: "127.0.0.1")
        with pytest.raises(CannotLook) as caught:
            opened("127.0.0.1")
    assert caught.value.reason == "no-resource"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENETUNREACH, "no-route"),
        (errno.EHOSTUNREACH, "no-route"),
        (errno.ENETDOWN, "no-route"),
        (errno.ENOBUFS, "no-resource"),
    ],
)
async def test_a_network_that_is_gone_is_not_asked_for_ever(
    number: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def refuse(_: UdpPort, payload: bytes, port: int, ancillary: object) -> None:
        tries.append(port)
        raise OSError(number, "gone")

    monkeypatch.setattr(UdpPort, "_put", refuse)
    async with opened("127.0.0.1") as ours:
        with pytest.raises(CannotLook) as caught:
            await ours.send(b"question", port=9)
        assert await ours.next(timeout_s=0) is None
    assert caught.value.reason == reason
    assert 1 <= len(tries) <= 5


@pytest.mark.timeout(20)
async def test_an_event_that_somebody_else_took_leaves_a_wait_and_no_spin(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    async with opened(address) as ours:
        await ours.send(b"question", port=port)
        waits = [asyncio.create_task(ours.next(timeout_s=0.2)) for _ in range(2)]
        await asyncio.sleep(0)  # both wait now
        peer.sendto(b"answer", peer.recvfrom(100)[1])
        heard = await asyncio.gather(*waits)
    assert sorted(type(event).__name__ for event in heard) == ["Datagram", "NoneType"]


async def test_no_route_is_said_at_once() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datagram, "source_address", lambda _: None)
        with pytest.raises(CannotLook) as caught:
            opened("::1")
    assert caught.value.reason == "no-route"


async def test_closing_twice_is_closing() -> None:
    ours = opened("127.0.0.1")
    ours.close()
    ours.close()
    with contextlib.suppress(OSError):
        ours._sock.getsockname()

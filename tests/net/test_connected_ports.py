"""Datagrams where there is no error queue, over loopback: refused by somebody, answered from anywhere."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from flexiscan.net.clock import Clock
from flexiscan.net.connected_ports import MAX_OPEN, ConnectedPorts
from flexiscan.net.datagram import ASIDE_PORTS
from flexiscan.net.link import CannotLook, Datagram, Refusal
from tests.net.local_parts import LOOPBACK, pace_of, wall_of
from tests.net.test_datagram import answering, closed_ports


def opened(address: str) -> ConnectedPorts:
    return ConnectedPorts(address, ASIDE_PORTS, pace=pace_of(), wall=wall_of(address), clock=Clock())


@pytest.fixture(params=LOOPBACK.values())
def peer(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with answering(request.param) as sock:
        yield sock


async def test_a_closed_port_refuses_by_whom_is_not_told(peer: socket.socket) -> None:
    address = peer.getsockname()[0]
    closed = closed_ports(address, 3)
    async with opened(address) as ours:
        assert not ours.icmp_visible
        for port in closed:
            await ours.send(b"?", port=port)
        heard = [await ours.next(timeout_s=5) for _ in closed]
    assert {event.to_port for event in heard if isinstance(event, Refusal) and event.is_port} == set(closed)


async def test_a_port_that_refused_can_be_asked_again(peer: socket.socket) -> None:
    address = peer.getsockname()[0]
    (port,) = closed_ports(address, 1)
    async with opened(address) as ours:
        for _ in range(3):
            await ours.send(b"?", port=port)
        assert isinstance(await ours.next(timeout_s=5), Refusal)


async def test_an_answer_is_heard_from_the_port_and_from_any_other(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    async with opened(address) as ours:
        await ours.send(b"question", port=port)
        asker = peer.recvfrom(100)[1]
        peer.sendto(b"same", asker)
        same = await ours.next(timeout_s=5)
        with answering(address) as other:  # as TFTP answers
            other.sendto(b"other", asker)
            another = await ours.next(timeout_s=5)
            other_port = other.getsockname()[1]
    assert isinstance(same, Datagram)
    assert (same.from_port, same.data) == (port, b"same")
    assert isinstance(another, Datagram)
    assert (another.from_port, another.data) == (other_port, b"other")


async def test_what_comes_late_is_still_heard(peer: socket.socket) -> None:
    """Media that arrives after the port's own socket was closed must end the sweep all the same."""
    address, port = peer.getsockname()[:2]
    async with opened(address) as ours:
        await ours.send(b"question", port=port)
        asker = peer.recvfrom(100)[1]
        for closed in closed_ports(address, MAX_OPEN + 5):
            await ours.send(b"?", port=closed)
        assert len(ours._open) == MAX_OPEN
        assert port not in ours._open
        peer.sendto(b"late", asker)
        heard = []
        while (event := await ours.next(timeout_s=0.3)) is not None:
            heard.append(event)
    assert [event.data for event in heard if isinstance(event, Datagram)] == [b"late"]


async def test_what_the_system_cannot_do_is_said(peer: socket.socket) -> None:
    address, port = peer.getsockname()[:2]
    async with opened(address) as ours:
        with pytest.raises(CannotLook):
            await ours.send(b"?", port=port, hop_limit=3)
    ours.close()


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

"""The pace as a packet capture sees it: the cap holds for what leaves, repeated SYNs included."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from bisect import bisect_right
from collections.abc import Iterator

import pytest

from flexiscan.net.clock import Clock
from flexiscan.net.datagram import open_port
from flexiscan.net.dial import connect
from tests.net import netns
from tests.net.local_parts import pace_of, wall_of
from tests.net.netns import TARGET, Ground

pytestmark = pytest.mark.netns
RATE = 400
DATAGRAMS = 800
SILENT_CONNECTS = 30
_SO_TIMESTAMPNS = 35
_ETH_P_ALL = 3
_TO_US = 0


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with netns.ground() as made:
        yield made


def open_capture() -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
    sock.settimeout(0.2)
    return sock


def stamps_of(capture: socket.socket, is_over: threading.Event) -> list[float]:
    """Arrival times of UDP datagrams and SYNs for the target, by the kernel's clock."""
    found: list[float] = []
    while True:
        try:
            packet, ancillary, _, source = capture.recvmsg(2048, 256)
        except TimeoutError:
            if is_over.is_set():
                return found
            continue
        is_ipv4_to_target = packet[0] >> 4 == 4 and packet[16:20] == socket.inet_aton(TARGET["ipv4"])
        is_syn = packet[9] == socket.IPPROTO_TCP and packet[33] & 0x3F == 0x02
        if source[2] == _TO_US and is_ipv4_to_target and (packet[9] == socket.IPPROTO_UDP or is_syn):
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            found.append(seconds + nanoseconds / 1e9)


def test_no_second_of_a_capture_holds_more_than_the_cap(ground: Ground) -> None:
    capture = ground.firewall.call(open_capture)
    is_over = threading.Event()
    stamps: list[float] = []
    listening = threading.Thread(target=lambda: stamps.extend(stamps_of(capture, is_over)))
    listening.start()
    address = TARGET["ipv4"]

    async def scan() -> float:
        pace, wall = pace_of(RATE), wall_of(address)
        clock = Clock()
        began = clock.monotonic()

        async def sweep() -> float:
            async with open_port(address, pace=pace, wall=wall, clock=clock) as port:
                for number in range(DATAGRAMS):
                    await port.send(b"x", port=40000 + number)
            return clock.monotonic() - began

        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(sweep())
            for _ in range(SILENT_CONNECTS):
                group.create_task(connect(address, netns.DROPPED, timeout_s=2.5, pace=pace, wall=wall))
        return sweeping.result()

    try:
        sweep_s = ground.scanner.run_async(scan)
    finally:
        is_over.set()
        listening.join()
        capture.close()
    stamps.sort()
    most = max(bisect_right(stamps, start + 1.0) - position for position, start in enumerate(stamps))
    assert len(stamps) >= DATAGRAMS + 3 * SILENT_CONNECTS
    assert most <= RATE
    assert sweep_s < 1.35 * DATAGRAMS / (RATE - SILENT_CONNECTS)

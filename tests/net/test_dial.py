"""Connections over loopback, both families."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import resource
import socket
import struct
from collections.abc import Iterator

import pytest

from flexiscan.net import dial, handshake
from flexiscan.net.dial import StreamConnection, connect
from flexiscan.net.link import CannotLook, NotConnected
from flexiscan.net.wall import ScopeWall, open_target
from tests.net.local_parts import LOOPBACK, pace_of, wall_of

FAMILIES = tuple(LOOPBACK.values())


class Server:
    """A listener whose accepted connections the test drives by hand."""

    def __init__(self, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.address = address
        self.listener = socket.create_server((address, 0), family=family, backlog=8)
        self.port = int(self.listener.getsockname()[1])

    def accept(self) -> socket.socket:
        return self.listener.accept()[0]


@pytest.fixture(params=FAMILIES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    made = Server(request.param)
    yield made
    made.listener.close()


async def dialled(server: Server) -> tuple[StreamConnection, socket.socket]:
    connection = await connect(server.address, server.port, pace=pace_of(), wall=wall_of(server.address))
    assert isinstance(connection, StreamConnection)
    return connection, server.accept()


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def test_bytes_go_both_ways(server: Server) -> None:
    connection, peer = await dialled(server)
    async with connection:
        assert connection.attempts == 1
        assert 0 < connection.connect_s < 5
        assert await connection.send(b"question", timeout_s=1) == ""
        assert peer.recv(100) == b"question"
        peer.send(b"answer")
        assert (await connection.receive(max_bytes=3, timeout_s=1)).data == b"ans"
        assert (await connection.receive(max_bytes=100, timeout_s=1)).data == b"wer"
        peer.close()


async def test_the_endings_are_told_apart(server: Server) -> None:
    connection, peer = await dialled(server)
    assert (await connection.receive(max_bytes=10, timeout_s=0)).ending == "timeout"
    peer.send(b"last words")
    peer.close()
    assert (await connection.receive(max_bytes=100, timeout_s=1)).data == b"last words"
    assert (await connection.receive(max_bytes=100, timeout_s=1)).ending == "closed"
    connection.close()
    connection, peer = await dialled(server)
    reset(peer)
    assert (await connection.receive(max_bytes=100, timeout_s=1)).ending == "reset"
    connection.close()


async def test_sending_tells_how_it_failed(server: Server) -> None:
    connection, peer = await dialled(server)
    assert await connection.send(b"x" * 50_000_000, timeout_s=0.01) == "timeout"
    reset(peer)
    assert await connection.send(b"x", timeout_s=1) == "reset"
    connection.close()
    connection, peer = await dialled(server)
    peer.close()
    assert await connection.send(b"x", timeout_s=1) == ""  # the peer answers it with a reset, after its FIN
    assert await connection.send(b"x", timeout_s=1) == "closed"
    connection.close()


async def test_a_large_message_goes_out_in_parts(server: Server) -> None:
    connection, peer = await dialled(server)
    message = bytes(range(256)) * 40_000
    received = asyncio.create_task(asyncio.to_thread(_read_all, peer))
    assert await connection.send(message, timeout_s=30) == ""
    with contextlib.suppress(OSError):
        connection._stream._sock.shutdown(socket.SHUT_WR)
    assert await received == message
    connection.close()


def _read_all(peer: socket.socket) -> bytes:
    with peer:
        return b"".join(iter(lambda: peer.recv(65536), b""))


async def test_closing_resets_and_may_be_repeated(server: Server) -> None:
    connection, peer = await dialled(server)
    connection.close()
    connection.close()
    with peer, pytest.raises(ConnectionResetError):
        peer.recv(1)


async def test_a_reset_right_after_accepting_was_an_acceptance(server: Server) -> None:
    """A server that accepts and resets at once is open: nobody may read it as a closed port."""

    class HastyPeer(socket.socket):
        def connect(self, destination: object) -> None:
            with contextlib.suppress(BlockingIOError):
                super().connect(destination)  # type: ignore[arg-type]
            reset(server.accept())
            raise BlockingIOError

    original = handshake.open_stream

    def open_socket(address: str) -> socket.socket:
        plain = original(address)
        return HastyPeer(plain.family, plain.type, fileno=plain.detach())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dial, "open_stream", open_socket)
        connection = await connect(server.address, server.port, pace=pace_of(), wall=wall_of(server.address))
    assert isinstance(connection, StreamConnection)
    assert (await connection.receive(max_bytes=10, timeout_s=1)).ending == "reset"
    connection.close()


@pytest.mark.parametrize("address", FAMILIES)
async def test_a_closed_port_resets(address: str) -> None:
    unused = Server(address)
    unused.listener.close()
    outcome = await connect(address, unused.port, pace=pace_of(), wall=wall_of(address), attempts=3)
    assert isinstance(outcome, NotConnected)
    assert (outcome.outcome, outcome.icmp, outcome.attempts) == ("reset", None, 1)


@pytest.mark.parametrize("address", FAMILIES)
async def test_without_an_error_queue_a_closed_port_refuses(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reset and an ICMP error have the same number there."""
    for module in (dial, handshake):
        monkeypatch.setattr(module, "IS_AVAILABLE", False)
    server = Server(address)
    server.listener.close()
    refused = await connect(address, server.port, pace=pace_of(), wall=wall_of(address))
    assert isinstance(refused, NotConnected)
    assert (refused.outcome, refused.icmp, refused.attempts) == ("refused", None, 1)


@pytest.mark.parametrize("address", FAMILIES)
async def test_a_full_backlog_is_silence_each_time(address: str) -> None:
    full = Server(address)
    full.listener.listen(0)
    with contextlib.ExitStack() as fillers:
        for _ in range(4):
            filler = fillers.enter_context(socket.socket(full.listener.family))
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect((address, full.port))
        outcome = await connect(address, full.port, pace=pace_of(), wall=wall_of(address), timeout_s=0.05, attempts=2)
    full.listener.close()
    assert isinstance(outcome, NotConnected)
    assert (outcome.outcome, outcome.icmp, outcome.attempts) == ("silence", None, 2)
    assert 0.1 <= outcome.waited_s < 1


async def test_a_socket_that_meets_itself_has_found_nobody() -> None:
    """On loopback a connect may be given the very port that it asks, and be answered by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    original = handshake.open_stream

    def open_bound(address: str) -> socket.socket:
        sock = original(address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        return sock

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dial, "open_stream", open_bound)
        outcome = await connect("127.0.0.1", port, pace=pace_of(), wall=wall_of("127.0.0.1"))
    assert isinstance(outcome, NotConnected)
    assert outcome.outcome == "reset"


async def test_the_wall_stops_a_connect_before_any_packet() -> None:
    outside = Server("127.0.0.99")
    outside.listener.setblocking(False)
    wall = wall_of("127.0.0.1")
    with pytest.raises(CannotLook) as caught:
        await connect("127.0.0.99", outside.port, pace=pace_of(), wall=wall)
    assert caught.value.reason == "outside-scope"
    assert len(wall.breaches) == 1
    with pytest.raises(BlockingIOError):
        outside.listener.accept()
    outside.listener.close()


async def test_outside_its_window_the_wall_gives_that_reason() -> None:
    wall = ScopeWall((*open_target("127.0.0.1", window="00:00-00:01 Etc/GMT-14"),))
    other = ScopeWall((*open_target("127.0.0.1", window="12:00-12:01 Etc/GMT-14"),))
    reasons = set()
    for closed in (wall, other):
        try:
            await connect("127.0.0.1", 9, pace=pace_of(), wall=closed)
        except CannotLook as obstacle:
            reasons.add(obstacle.reason)
    assert reasons == {"outside-window"}


async def test_running_out_of_descriptors_is_no_fact_about_the_target() -> None:
    gc.collect()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        with pytest.raises(CannotLook) as caught:
            await connect("127.0.0.1", 9, pace=pace_of(), wall=wall_of("127.0.0.1"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.reason == "no-resource"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENETUNREACH, "no-route"),
        (errno.EAFNOSUPPORT, "no-route"),
        (errno.EACCES, "no-privilege"),
        (errno.EPERM, "no-privilege"),
        (errno.ENOBUFS, "no-resource"),
        (errno.EADDRNOTAVAIL, "no-resource"),
        (errno.EBADF, "internal"),
    ],
)
async def test_what_this_machine_refuses_is_no_fact_about_the_target(number: int, reason: str) -> None:
    def refuse(_: str) -> socket.socket:
        raise OSError(number, "refused here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dial, "open_stream", refuse)
        with pytest.raises(CannotLook) as caught:
            await connect("127.0.0.1", 9, pace=pace_of(), wall=wall_of("127.0.0.1"))
    assert caught.value.reason == reason


@pytest.mark.parametrize("address", ["localhost", "127.1", "::ffff:127.0.0.1", "fe80::1%lo", ""])
async def test_an_address_that_is_not_plain_is_never_dialled(address: str) -> None:
    with pytest.raises((ValueError, CannotLook)):
        await connect(address, 9, pace=pace_of(), wall=wall_of("127.0.0.1"))


async def test_a_cancelled_connect_leaves_no_socket_behind() -> None:
    full = Server("127.0.0.1")
    full.listener.listen(0)
    with contextlib.ExitStack() as fillers:
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", full.port))
        connecting = asyncio.create_task(
            connect("127.0.0.1", full.port, pace=pace_of(), wall=wall_of("127.0.0.1"), timeout_s=60)
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connecting, 0.05)
    full.listener.close()
    gc.collect()  # an open socket would raise ResourceWarning, which is an error here

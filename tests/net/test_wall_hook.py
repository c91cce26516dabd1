"""The wall against the sockets of other people's code. 127.0.0.1 is in the scope here, 127.0.0.99 is not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import dns.asyncquery
import dns.message
import dns.query
import httpx
import pytest

from flexiscan.net.wall import ScopeViolation, ScopeWall, open_target
from tests.net.listeners import Ear, ear

INSIDE = "127.0.0.1"
OUTSIDE = "127.0.0.99"


@pytest.fixture
def forbidden() -> Iterator[Ear]:
    with ear(OUTSIDE) as listener:
        yield listener


@pytest.fixture
def allowed() -> Iterator[Ear]:
    with ear(INSIDE) as listener:
        yield listener


@pytest.fixture
def wall() -> ScopeWall:
    return ScopeWall(open_target(INSIDE))


def plain_connect(address: str, port: int) -> None:
    with socket.socket() as sock:
        sock.connect((address, port))


def plain_connect_ex(address: str, port: int) -> None:
    with socket.socket() as sock:
        sock.connect_ex((address, port))


def plain_create_connection(address: str, port: int) -> None:
    socket.create_connection((address, port), timeout=1).close()


def plain_sendto(address: str, port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (address, port))


def plain_sendmsg(address: str, port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendmsg([b"x"], [], 0, (address, port))


def connected_datagram(address: str, port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        sock.send(b"x")


def mapped_connect(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.connect((f"::ffff:{address}", port))


def mapped_sendto(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (f"::ffff:{address}", port))


def blocking_httpx(address: str, port: int) -> None:
    httpx.get(f"http://{address}:{port}/", timeout=0.2, trust_env=False)


def blocking_dns(address: str, port: int) -> None:
    dns.query.udp(dns.message.make_query("example.com", "A"), address, port=port, timeout=0.2)


def blocking_dns_tcp(address: str, port: int) -> None:
    dns.query.tcp(dns.message.make_query("example.com", "A"), address, port=port, timeout=0.2)


def in_a_thread(address: str, port: int) -> None:
    thread = threading.Thread(target=_quietly, args=(address, port))
    thread.start()
    thread.join()
    raise PermissionError("the thread's own error is judged by what arrived")


def in_a_new_pool(address: str, port: int) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(plain_connect, address, port).result()


def _quietly(address: str, port: int) -> None:
    with contextlib.suppress(PermissionError):
        plain_connect(address, port)


BLOCKING = [
    plain_connect,
    plain_connect_ex,
    plain_create_connection,
    plain_sendto,
    plain_sendmsg,
    connected_datagram,
    mapped_connect,
    mapped_sendto,
    blocking_httpx,
    blocking_dns,
    blocking_dns_tcp,
    in_a_thread,
    in_a_new_pool,
]


@pytest.mark.parametrize("attempt", BLOCKING)
def test_no_library_gets_past_the_wall(attempt: Callable[[str, int], None], forbidden: Ear, wall: ScopeWall) -> None:
    with wall.enforced(), pytest.raises((OSError, httpx.ConnectError)):
        attempt(forbidden.address, forbidden.port)
    assert forbidden.heard() == []
    assert OUTSIDE in wall.breaches[0].destination


@pytest.mark.parametrize("attempt", BLOCKING)
def test_the_same_attempts_get_through_without_the_wall(
    attempt: Callable[[str, int], None], forbidden: Ear, wall: ScopeWall
) -> None:
    """Or else the test above would prove nothing."""
    with wall.enforced():
        pass
    with contextlib.suppress(OSError, httpx.HTTPError, dns.exception.DNSException):
        attempt(forbidden.address, forbidden.port)
    assert forbidden.heard() != []
    assert wall.breaches == ()


@pytest.mark.parametrize("attempt", BLOCKING)
def test_the_same_attempts_get_through_inside_the_scope(
    attempt: Callable[[str, int], None], allowed: Ear, wall: ScopeWall
) -> None:
    with wall.enforced(), contextlib.suppress(OSError, httpx.HTTPError, dns.exception.DNSException):
        attempt(allowed.address, allowed.port)
    assert allowed.heard() != []
    assert wall.breaches == ()


async def stream_client(address: str, port: int) -> None:
    _, writer = await asyncio.open_connection(address, port)
    writer.close()


async def datagram_client(address: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(address, port))
    transport.sendto(b"x")
    transport.close()


async def unconnected_datagram(address: str, port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendto(sock, b"x", (address, port))


async def async_httpx(address: str, port: int) -> None:
    async with httpx.AsyncClient(timeout=0.2, trust_env=False) as client:
        await client.get(f"http://{address}:{port}/")


async def async_dns(address: str, port: int) -> None:
    await dns.asyncquery.udp(dns.message.make_query("example.com", "A"), address, port=port, timeout=0.2)


async def in_the_default_executor(address: str, port: int) -> None:
    await asyncio.get_running_loop().run_in_executor(None, plain_connect, address, port)


async def in_to_thread(address: str, port: int) -> None:
    await asyncio.to_thread(plain_connect, address, port)


async def in_a_task(address: str, port: int) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(stream_client(address, port))


ASYNC = [
    stream_client,
    datagram_client,
    unconnected_datagram,
    async_httpx,
    async_dns,
    in_the_default_executor,
    in_to_thread,
    in_a_task,
]


@pytest.mark.parametrize("attempt", ASYNC)
async def test_no_async_library_gets_past_the_wall(
    attempt: Callable[[str, int], Coroutine[Any, Any, None]], forbidden: Ear, wall: ScopeWall
) -> None:
    with wall.enforced(), pytest.raises((OSError, httpx.ConnectError, ExceptionGroup)):
        await attempt(forbidden.address, forbidden.port)
    assert forbidden.heard() == []
    assert OUTSIDE in wall.breaches[0].destination


@pytest.mark.parametrize("attempt", ASYNC)
async def test_the_same_async_attempts_get_through_without_the_wall(
    attempt: Callable[[str, int], Coroutine[Any, Any, None]], forbidden: Ear
) -> None:
    with contextlib.suppress(OSError, httpx.HTTPError, dns.exception.DNSException):
        await attempt(forbidden.address, forbidden.port)
    await asyncio.sleep(0)
    assert forbidden.heard() != []


async def test_an_executor_thread_that_was_there_before_is_inside_the_wall_too(forbidden: Ear, wall: ScopeWall) -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, str)
    with wall.enforced(), pytest.raises(ScopeViolation):
        await in_the_default_executor(forbidden.address, forbidden.port)
    assert forbidden.heard() == []


@pytest.mark.parametrize(
    "lookup",
    [
        lambda: socket.getaddrinfo("localhost", 80),
        lambda: socket.getaddrinfo(b"localhost", 80),
        lambda: socket.getaddrinfo("127.1", 80),
        lambda: socket.gethostbyname("localhost"),
        lambda: socket.gethostbyname_ex("localhost"),
        lambda: socket.gethostbyaddr("127.0.0.1"),
        lambda: socket.getnameinfo(("127.0.0.1", 80), 0),
        lambda: plain_connect("localhost", 80),
        lambda: plain_connect("127.1", 80),
        lambda: plain_connect("0", 80),
        lambda: plain_connect("", 80),
        lambda: plain_connect("１２７.0.0.1", 80),
        lambda: plain_sendto("<broadcast>", 80),
    ],
)
def test_names_and_odd_spellings_are_refused(lookup: Callable[[], object], wall: ScopeWall) -> None:
    with wall.enforced(), pytest.raises(ScopeViolation):
        lookup()
    assert len(wall.breaches) == 1


async def test_an_asyncio_lookup_is_refused_although_it_runs_in_a_thread(wall: ScopeWall) -> None:
    with wall.enforced(), pytest.raises(ScopeViolation):
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)


def test_literals_are_looked_up_and_nothing_is_a_wildcard(wall: ScopeWall) -> None:
    with wall.enforced():
        assert socket.getaddrinfo("192.0.2.1", 80)
        assert socket.getaddrinfo(None, 80, flags=socket.AI_PASSIVE)


@pytest.mark.parametrize(
    "make",
    [
        lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
        lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC),
    ],
)
@pytest.mark.skipif(not hasattr(socket, "AF_PACKET"), reason="packet sockets are a thing of Linux")
def test_sockets_that_hide_where_they_send_are_refused(make: Callable[[], socket.socket], wall: ScopeWall) -> None:
    with wall.enforced(), pytest.raises(ScopeViolation):
        make().close()


def test_unix_sockets_pipes_and_listening_are_nobodys_business(wall: ScopeWall) -> None:
    with wall.enforced():
        left, right = socket.socketpair()
        left.send(b"x")
        assert right.recv(1) == b"x"
        left.close()
        right.close()
        with (
            socket.create_server((OUTSIDE, 0)),
            socket.socket(socket.AF_UNIX) as unix,
            pytest.raises(FileNotFoundError),
        ):
            unix.connect("/nonexistent")


async def test_two_runs_in_one_loop_have_a_wall_each(allowed: Ear, forbidden: Ear) -> None:
    both_inside = asyncio.Barrier(2)

    async def run(own: Ear, other: Ear) -> None:
        with ScopeWall(open_target(own.address)).enforced():
            await both_inside.wait()
            plain_connect(own.address, own.port)
            with pytest.raises(ScopeViolation):
                plain_connect(other.address, other.port)
            await both_inside.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(run(allowed, forbidden))
        group.create_task(run(forbidden, allowed))
    assert allowed.heard() == ["tcp"]
    assert forbidden.heard() == ["tcp"]


async def test_the_application_around_a_run_has_no_wall(forbidden: Ear, wall: ScopeWall) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        with wall.enforced():
            entered.set()
            await leave.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(run())
        await entered.wait()
        plain_connect(forbidden.address, forbidden.port)
        outside = threading.Thread(target=plain_connect, args=(forbidden.address, forbidden.port))
        outside.start()
        outside.join()
        leave.set()
    assert forbidden.heard() == ["tcp"]
    assert forbidden.heard() == ["tcp"]


def test_a_thread_of_a_run_is_free_when_the_run_is_over(forbidden: Ear, wall: ScopeWall) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with wall.enforced():
            pool.submit(str).result()
        pool.submit(plain_connect, forbidden.address, forbidden.port).result()
    assert forbidden.heard() == ["tcp"]


def test_an_inner_wall_stands_instead_of_the_outer_one(allowed: Ear, wall: ScopeWall) -> None:
    with wall.enforced():
        with ScopeWall().enforced(), pytest.raises(ScopeViolation):
            plain_connect(allowed.address, allowed.port)
        plain_connect(allowed.address, allowed.port)
    assert allowed.heard() == ["tcp"]


def test_the_window_holds_for_sockets_too(allowed: Ear) -> None:
    closed = ScopeWall(open_target(INSIDE, window="00:00-00:01 Etc/GMT-14"))
    other = ScopeWall(open_target(INSIDE, window="12:00-12:01 Etc/GMT-14"))
    reasons = []
    for wall in (closed, other):
        with wall.enforced(), contextlib.suppress(ScopeViolation):
            plain_connect(allowed.address, allowed.port)
        reasons += [breach.reason for breach in wall.breaches]
    assert reasons
    assert set(reasons) == {"outside-window"}

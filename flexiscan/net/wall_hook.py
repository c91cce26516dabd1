"""The audit hook behind the scope wall: it stops the sockets of every library, not only ours.

`sys.addaudithook` cannot be undone, so exactly one hook is ever installed, on first use. It is the single piece of
process state of this package (with a wrapper around `Thread.start` before Python 3.12): the wall must stand where
packets leave, and a library's own socket meets nothing else of ours. The hook does nothing unless the code that
runs is inside `enforce` (a context variable, so two runs in one event loop have a wall each, and an application
around them has none).

Threads do not inherit context variables. A thread that is started inside the wall is therefore remembered together
with the wall; the default executor of the event loop is replaced by one that takes the context along, because name
lookups of asyncio run there. Not stopped: other programs, C code with system calls of its own, and `send` on a
socket that was connected before the wall stood.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from flexiscan.net.wall_address import read_literal


class Guard(Protocol):
    """What the hook asks."""

    def check_destination(self, event: str, host: object, port: object, transport: str) -> None:
        """Raise when no packet may go there."""

    def refuse(self, event: str, what: str) -> None:
        """Always raise."""


class _Enforcement:
    """One stretch of time in which one wall stands."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.live = True


_here: contextvars.ContextVar[_Enforcement | None] = contextvars.ContextVar("flexiscan_wall", default=None)
_of_thread: weakref.WeakKeyDictionary[threading.Thread, _Enforcement] = weakref.WeakKeyDictionary()
_of_process: list[_Enforcement] = []
_installing = threading.Lock()
_installed: list[bool] = []

RAW = "raw"
"""The transport of raw sockets: no opening of a scope wall has it, so that they reach nothing by themselves."""
_PLAIN_KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
_TRANSPORTS = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp", socket.SOCK_RAW: RAW}
_AF_UNIX = getattr(socket, "AF_UNIX", None)


class ContextExecutor(concurrent.futures.ThreadPoolExecutor):
    """A thread pool whose jobs see the context variables of whoever submitted them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """As the base class, inside a copy of the caller's context."""
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


@contextlib.contextmanager
def enforce(guard: Guard) -> Iterator[None]:
    """While it lasts, this task and the tasks and threads that it starts reach only what `guard` permits."""
    _install()
    _take_context_into_executor()
    enforcement = _Enforcement(guard)
    token = _here.set(enforcement)
    try:
        yield
    finally:
        _here.reset(token)
        enforcement.live = False


def enforce_for_process(guard: Guard) -> None:
    """From now on all code of this process that is in no narrower wall reaches only what `guard` permits."""
    _install()
    _of_process[:] = [_Enforcement(guard)]


def _install() -> None:
    with _installing:
        if not _installed:
            sys.addaudithook(_audit)
            if sys.version_info < (3, 12):
                _follow_threads_without_audit()
            _installed.append(True)


def _follow_threads_without_audit() -> None:
    """Before Python 3.12 no audit event tells of a new thread, so `Thread.start` has to."""
    start = threading.Thread.start

    @functools.wraps(start)
    def start_and_follow(self: threading.Thread) -> None:
        enforcement = _current()
        if enforcement is not None:
            _of_thread[self] = enforcement
        start(self)

    threading.Thread.start = start_and_follow  # type: ignore[method-assign]


def _take_context_into_executor() -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    if not isinstance(getattr(loop, "_default_executor", None), ContextExecutor):
        loop.set_default_executor(ContextExecutor(thread_name_prefix="flexiscan"))


def _current() -> _Enforcement | None:
    enforcement = _here.get()
    if enforcement is None and _of_thread:
        inherited = _of_thread.get(threading.current_thread())
        if inherited is not None and inherited.live:
            return inherited
    if enforcement is None and _of_process:
        return _of_process[0]
    return enforcement


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    judge = _JUDGES.get(event)
    if judge is not None:
        enforcement = _current()
        if enforcement is not None:
            judge(enforcement, event, arguments)


def _judge_destination(enforcement: _Enforcement, event: str, arguments: tuple[Any, ...]) -> None:
    """`arguments` is (socket, destination); the destination of sendmsg is None on a connected socket."""
    sender, destination = arguments
    if sender.family == _AF_UNIX or (destination is None and event == "socket.sendmsg"):
        return
    transport = _TRANSPORTS.get(sender.type)
    is_internet = sender.family in (socket.AF_INET, socket.AF_INET6)
    if transport is None or not is_internet or not isinstance(destination, tuple) or len(destination) < 2:
        enforcement.guard.refuse(event, f"{sender.family!r} {sender.type!r} to {destination!r}")
        return
    if len(destination) > 3 and destination[3] != 0:
        enforcement.guard.refuse(event, f"{destination!r} with a zone")
    enforcement.guard.check_destination(event, destination[0], destination[1], transport)


def _judge_lookup(enforcement: _Enforcement, event: str, arguments: tuple[Any, ...]) -> None:
    """A name lookup sends packets to a resolver of the system's choice; a literal sends none."""
    host = arguments[0]
    if host is None and event == "socket.getaddrinfo":
        return
    text = host.decode("latin-1") if isinstance(host, bytes | bytearray) else host
    is_literal = isinstance(text, str) and read_literal(text) is not None
    if not is_literal or event == "socket.gethostbyaddr":
        enforcement.guard.refuse(event, f"lookup of {host!r}")


def _judge_reverse_lookup(enforcement: _Enforcement, event: str, arguments: tuple[Any, ...]) -> None:
    enforcement.guard.refuse(event, f"lookup of {arguments[0]!r}")


def _judge_socket(enforcement: _Enforcement, event: str, arguments: tuple[Any, ...]) -> None:
    """Raw and packet sockets send without telling where to. -1 adopts a descriptor whose kind is not known yet."""
    _, family, kind, _ = arguments
    is_known_family = family in (socket.AF_INET, socket.AF_INET6, _AF_UNIX, -1)
    base_kind = kind if kind == -1 else kind & 0xF  # SOCK_NONBLOCK and SOCK_CLOEXEC stand above (socket(2))
    if not is_known_family or (family != _AF_UNIX and base_kind not in (-1, *_PLAIN_KINDS)):
        enforcement.guard.refuse(event, f"a socket of family {family} and type {kind}")


def _follow_thread(enforcement: _Enforcement, event: str, arguments: tuple[Any, ...]) -> None:
    thread = getattr(arguments[0], "__self__", None)
    if isinstance(thread, threading.Thread):
        _of_thread[thread] = enforcement


_JUDGES: dict[str, Callable[[_Enforcement, str, tuple[Any, ...]], None]] = {
    "socket.connect": _judge_destination,
    "socket.sendto": _judge_destination,
    "socket.sendmsg": _judge_destination,
    "socket.getaddrinfo": _judge_lookup,
    "socket.gethostbyname": _judge_lookup,
    "socket.gethostbyaddr": _judge_lookup,
    "socket.getnameinfo": _judge_reverse_lookup,
    "socket.__new__": _judge_socket,
    "_thread.start_new_thread": _follow_thread,
    "_thread.start_joinable_thread": _follow_thread,
}

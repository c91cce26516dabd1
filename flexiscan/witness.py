"""The witness: runs for some minutes on the server itself and writes down what reaches it from outside.

This one file is all of it: copy it to the server and run it with Python 3.8 or newer, on Windows or Linux; nothing
is installed. It listens on every port of the guide's list that nobody uses, answers only questions that carry the
one-time code (never with more bytes than were asked with), and keeps a log without content: when, which port, from
where, ours or not. Every line carries an HMAC over itself and the line before, so that none can be changed, left out
or put in by anybody without the code. It is an HMAC and not a signature because the standard library has none; so
the log convinces whoever knows the code, and nobody else.

While it runs, the ports that it holds are not free for anything else: no call can be given a voice port. Run it when
nobody telephones, or let it take fewer (--media-ports).
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import getpass
import hashlib
import hmac
import json
import os
import random
import secrets
import selectors
import shutil
import signal
import socket
import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

# The port table of the guide; a test holds them equal.
WEB_PORTS = (80, 443)  # usually taken; where they are free, the likeliest to be let through
_LOW_TCP_PORTS = (22, 135, 139, 445, 1337, 1339, 1433, 2809, 3389, 4443, 5060, 5061, 5985, 5986)
TCP_PORTS = (*_LOW_TCP_PORTS, 8080, 8443, 9692, 13317, 13404, 33333, 50797)
UDP_PORTS = (69, 137, 161, 1434, 5060, 33333, 50797)
MEDIA_PORTS = (40000, 50000)
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what reaches the server, wherever it comes in
WINDOWS = sys.platform == "win32"
LINUX = sys.platform.startswith("linux")
IP_PKTINFO = 8  # linux/in.h; Python names it only lately
IPV6_PKTINFO = 50
IPV6_RECVPKTINFO = 49  # linux/in6.h
CONTROL_PORT = 51515
"""Listened on over TCP and UDP; let through for the test, it shows that questions do arrive."""

MIN_CODE_DIGITS = 16
MIN_DIFFERENT_DIGITS = 4
HEX_DIGITS = "0123456789abcdef"
KEY_ROUNDS = 200_000
KEY_SALT = b"flexiscan witness 1"
MAX_MINUTES = 60
BEAT_S = 2.0
QUESTION_BYTES = 72
ANSWERS_PER_S = 5000
MAX_NONCES = 200_000
MAX_LOG_LINES = 250_000
LISTED_PER_PORT = {"ok": 2000, "replayed": 4, "not-ours": 4}
"""Lines for each transport, port and kind of arrival; what comes beyond is counted."""
CONNECTION_S = 3.0
MAX_CONNECTIONS = 64
MANY_FILES = 32768
SPARE_FILES = 100
SHARD = 400
"""Sockets a thread where the system can only wait for 512 (Windows)."""
RECEIVE_BUFFER_BYTES = 32768
DATAGRAMS_AT_ONCE = 64

_REPORT = b"\x80\xc9\x00\x01"  # RTCP receiver report without blocks (RFC 3550 6.4.2): harmless where a call runs
_APP = b"\x81\xcc\x00\x0f"  # RTCP application packet of 16 words (RFC 3550 6.7)
_NAME = b"FXWT"
_ANSWER = b"FXWA"
_VERSION = 1
_TRANSPORTS = {"tcp": 6, "udp": 17}  # IANA protocol numbers


def derive_keys(code: str) -> dict[str, bytes]:
    """One key for each purpose; ValueError for a code that --new-code would not make: words can be guessed."""
    plain = "".join(code.split()).replace("-", "").lower()
    if len(plain) < MIN_CODE_DIGITS or len(set(plain)) < MIN_DIFFERENT_DIGITS or not set(plain) <= set(HEX_DIGITS):
        raise ValueError(f"a code has at least {MIN_CODE_DIGITS} random hexadecimal digits")
    master = hashlib.pbkdf2_hmac("sha256", plain.encode("utf-8"), KEY_SALT, KEY_ROUNDS)
    return {name: hmac.new(master, name.encode(), hashlib.sha256).digest() for name in ("question", "answer", "log")}


def read_question(key: bytes, transport: str, data: bytes) -> bytes | None:
    """The nonce of a question under our code; None for anything else, also for one about the other transport."""
    if len(data) != QUESTION_BYTES or data[:4] != _REPORT or data[8:12] != _APP or data[16:20] != _NAME:
        return None
    body, given = data[20:40], data[40:]
    if body[0] != _VERSION or body[1] != _TRANSPORTS[transport]:
        return None
    return body[4:20] if hmac.compare_digest(hmac.new(key, body, hashlib.sha256).digest(), given) else None


def build_answer(key: bytes, transport: str, port: int, unix_ms: int, nonce: bytes) -> bytes:
    """64 bytes: where the question arrived, and when by the clock of this machine."""
    head = _ANSWER + bytes((_VERSION, _TRANSPORTS[transport])) + port.to_bytes(2, "big")
    body = head + unix_ms.to_bytes(8, "big") + nonce
    return body + hmac.new(key, body, hashlib.sha256).digest()


class Leaving:
    """Whether somebody wants this to end. No lock: a signal may come while the one that it interrupts holds it."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, *_: Any) -> None:
        """Also a signal handler."""
        self.asked = True

    def wait(self, seconds: float) -> bool:
        """Wait as long, or until asked; whether asked."""
        ends_s = time.monotonic() + seconds
        while not self.asked and (left_s := ends_s - time.monotonic()) > 0:
            time.sleep(min(0.2, left_s))
        return self.asked


class Clock:
    """The time of day when the run began, carried on by the clock that nobody sets."""

    def __init__(self) -> None:
        self._wall_ms = int(time.time() * 1000)
        self._began_s = time.monotonic()

    def up_ms(self) -> int:
        """Milliseconds since the start."""
        return int((time.monotonic() - self._began_s) * 1000)

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._wall_ms + self.up_ms()


class Journal:
    """The log: one JSON object a line, each with the HMAC over the one before and its own text. For several threads."""

    def __init__(self, path: str, key: bytes, clock: Clock) -> None:
        self._file = open(path, "x", encoding="ascii", newline="\n")  # noqa: SIM115, PTH123 - open for the whole run
        self._key = key
        self.clock = clock
        self._lock = threading.Lock()
        self._last = b""
        self.lines = 0

    def write(self, kind: str, **fields: Any) -> None:
        """Append one line and hand it to the system."""
        with self._lock:
            fields.setdefault("at_ms", self.clock.now_ms())
            body = json.dumps(dict(fields, kind=kind, n=self.lines), sort_keys=True, separators=(",", ":"))
            mac = hmac.new(self._key, self._last + body.encode("ascii"), hashlib.sha256).digest()
            self._file.write(f'{body[:-1]},"mac":"{mac.hex()}"}}\n')
            self._file.flush()
            self._last = mac
            self.lines += 1

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            os.fsync(self._file.fileno())
            self._file.close()


class Door:
    """One bound port; a socket for both families ("dual") saves half of the files."""

    def __init__(self, sock: socket.socket, transport: str, families: str, port: int) -> None:
        self.sock = sock
        self.transport = transport
        self.families = families
        self.port = port

    def places(self) -> list[tuple[str, int]]:
        """All that it covers."""
        return [(self.transport + family, self.port) for family in self.families]


class Guest:
    """One accepted connection that has not yet asked."""

    def __init__(self, sock: socket.socket, door: Door, source: str, at_ms: int) -> None:
        self.sock = sock
        self.door = door
        self.source = source
        self.at_ms = at_ms
        self.local = ""
        self.data = b""


class Memory:
    """What was seen so far, in bounded space: nonces, and how many lines and answers there were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nonces: set[bytes] = set()
        self._listed: Counter[tuple[str, int, str]] = Counter()
        self._second = 0
        self._answers = 0
        self.totals: Counter[str] = Counter()

    def judge(self, nonce: bytes | None) -> str:
        """ "ok" for a question of ours that comes for the first time."""
        with self._lock:
            if nonce is None:
                return "not-ours"
            if nonce in self._nonces or len(self._nonces) >= MAX_NONCES:
                return "replayed"
            self._nonces.add(nonce)
            return "ok"

    def may_answer(self) -> bool:
        """Whether the cap on answers leaves room in this second."""
        with self._lock:
            second = int(time.monotonic())
            if second != self._second:
                self._second, self._answers = second, 0
            self._answers += 1
            return self._answers <= ANSWERS_PER_S

    def may_list(self, place: str, port: int, how: str) -> bool:
        """Count an arrival; whether it gets a line of its own."""
        with self._lock:
            self.totals[how] += 1
            self._listed[place, port, how] += 1
            listed = self._listed[place, port, how] <= LISTED_PER_PORT[how]
            self.totals["unlisted"] += not listed
            return listed


class Watcher(threading.Thread):
    """Waits for what comes in at some doors, answers what is ours, and notes it."""

    def __init__(self, doors: Iterable[Door], keys: dict[str, bytes], journal: Journal, memory: Memory) -> None:
        super().__init__(daemon=True)
        self.leaving = threading.Event()
        self.failed = ""
        self._keys = keys
        self._journal = journal
        self._memory = memory
        self._clock = journal.clock
        self.until_ms = 0
        """Everything that had arrived by then is in the log."""
        self._guests: OrderedDict[socket.socket, Guest] = OrderedDict()
        self._selector = selectors.DefaultSelector()
        for door in doors:
            self._selector.register(door.sock, selectors.EVENT_READ, door)

    def run(self) -> None:
        """Look until told to leave."""
        try:
            while not self.leaving.is_set():
                self._look()
        except Exception as error:  # noqa: BLE001 - whatever it was, the log must not claim that anybody still looks
            self.failed = repr(error)

    def _look(self) -> None:
        began_ms = self._clock.now_ms()
        drained = True
        for key, _ in self._selector.select(0.25):
            if isinstance(key.data, Guest):
                self._listen_to(key.data)
            elif key.data.transport == "udp":
                drained &= self._take_datagrams(key.data)
            else:
                drained &= self._take_guests(key.data)
        for guest in [g for g in self._guests.values() if self._clock.now_ms() - g.at_ms > CONNECTION_S * 1000]:
            self._see_off(guest)
        if drained:
            self.until_ms = min([began_ms, *(guest.at_ms - 1 for guest in self._guests.values())])

    def _take_datagrams(self, door: Door) -> bool:
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                data, source, local = receive_datagram(door.sock)
            except BlockingIOError:
                return True
            except OSError:  # Windows tells here that an answer found nobody
                continue
            answer = self._note(door, name_of(source), data, self._clock.now_ms(), local)
            if answer:
                with contextlib.suppress(OSError):
                    door.sock.sendto(answer, source)
        return False

    def _take_guests(self, door: Door) -> bool:
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                sock, source = door.sock.accept()
            except BlockingIOError:
                return True
            except OSError:  # gone before it was let in
                continue
            sock.setblocking(False)
            guest = Guest(sock, door, name_of(source), self._clock.now_ms())
            with contextlib.suppress(OSError):
                guest.local = plain_address(sock.getsockname()[0])
            self._guests[sock] = guest
            self._selector.register(sock, selectors.EVENT_READ, guest)
            if len(self._guests) > MAX_CONNECTIONS:
                self._see_off(next(iter(self._guests.values())))
        return False

    def _listen_to(self, guest: Guest) -> None:
        try:
            data = guest.sock.recv(QUESTION_BYTES - len(guest.data))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        guest.data += data
        if not data or len(guest.data) == QUESTION_BYTES:
            self._see_off(guest)

    def _see_off(self, guest: Guest) -> None:
        answer = self._note(guest.door, guest.source, guest.data, guest.at_ms, guest.local)
        self._selector.unregister(guest.sock)
        self._guests.pop(guest.sock, None)
        with contextlib.suppress(OSError):
            if answer:
                guest.sock.send(answer)
        guest.sock.close()

    def _note(self, door: Door, source: str, data: bytes, at_ms: int, local: str) -> bytes:
        """Note an arrival; the answer to it, or nothing. `local`: which of our addresses it came to, if known."""
        nonce = read_question(self._keys["question"], door.transport, data)
        how = self._memory.judge(nonce)
        place = door.transport + ("6" if ":" in source else "4")
        if self._memory.may_list(place, door.port, how):
            shown = {} if nonce is None else {"nonce": nonce.hex(), "to": local}
            self._journal.write("seen", at_ms=at_ms, place=place, port=door.port, source=source, how=how, **shown)
        if how != "ok" or nonce is None or not self._memory.may_answer():
            return b""
        return build_answer(self._keys["answer"], door.transport, door.port, self._clock.now_ms(), nonce)

    def close(self) -> None:
        """Forget everything that is open."""
        for guest in list(self._guests.values()):
            self._see_off(guest)
        self._selector.close()


def name_of(source: Any) -> str:
    """The sender as address#port."""
    return f"{plain_address(source[0])}#{source[1]}"


def plain_address(address: Any) -> str:
    """An address without its zone; IPv4 as IPv4, also where it came through a socket for both."""
    text = str(address).partition("%")[0]
    return text[7:] if text.startswith("::ffff:") else text


def receive_datagram(sock: socket.socket) -> tuple[bytes, Any, str]:
    """One datagram, its sender, and to which of our addresses it came ("" where the system does not tell)."""
    if not LINUX:
        data, source = sock.recvfrom(65535)
        return data, source, ""
    data, parts, _, source = sock.recvmsg(65535, 256)
    for level, kind, value in parts:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO) and len(value) >= 12:
            return data, source, socket.inet_ntop(socket.AF_INET, value[8:12])
        if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO) and len(value) >= 16:
            return data, source, plain_address(socket.inet_ntop(socket.AF_INET6, value[:16]))
    return data, source, ""


def wanted_ports(media_ports: int, control_port: int) -> Iterator[tuple[str, int]]:
    """Every port to listen on; of a range as many as asked for: both ends, the rest by chance."""
    yield from (("tcp", port) for port in (*WEB_PORTS, *TCP_PORTS, control_port))
    yield from (("udp", port) for port in (*UDP_PORTS, control_port))
    first, last = MEDIA_PORTS
    ends, between = (first, last), range(first + 1, last)
    chosen = random.SystemRandom().sample(between, max(0, min(len(between), media_ports - len(ends))))
    yield from (("udp", port) for port in (*ends[:media_ports], *sorted(chosen)))


def open_doors(wanted: Iterable[tuple[str, int]], addresses: list[str]) -> tuple[list[Door], list[Any]]:
    """The doors that could be opened, and (place, port, reason) for the others. No addresses: everywhere."""
    doors: list[Door] = []
    refused: list[Any] = []
    own = own_addresses() if WINDOWS else []
    for transport, port in wanted:
        if not addresses and not WINDOWS:
            with contextlib.suppress(OSError):
                doors.append(Door(listening_socket(transport, "::", port, dual=True), transport, "46", port))
                continue
        for address in addresses or EVERYWHERE:
            family = "6" if ":" in address else "4"
            try:
                for one in own:
                    if (":" in one) == (family == "6"):
                        listening_socket(transport, one, port).close()
                doors.append(Door(listening_socket(transport, address, port), transport, family, port))
            except OSError as error:
                refused.append((transport + family, port, reason_of(error)))
    return doors, refused


def own_addresses() -> list[str]:
    """This machine's addresses. Windows may give a port of all of them to us that somebody holds on one of them, who
    then gets what arrives: so each is tried by itself before."""
    found = {"127.0.0.1", "::1"}
    with contextlib.suppress(OSError):
        found.update(str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None))
    return sorted(address for address in found if "%" not in address and not address.startswith("fe80"))


def listening_socket(transport: str, address: str, port: int, dual: bool = False) -> socket.socket:
    """A socket that shares its port with nobody. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    try:
        if WINDOWS:
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", 0), 1)
        if LINUX and transport == "tcp":  # shares with connections that have ended, never with a listener (socket(7))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        sock.bind((address, port))
        sock.setblocking(False)
        if transport == "tcp":
            sock.listen(16)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if transport == "udp" and LINUX:
            ask = (
                (socket.IPPROTO_IP, IP_PKTINFO) if family == socket.AF_INET else (socket.IPPROTO_IPV6, IPV6_RECVPKTINFO)
            )
            sock.setsockopt(*ask, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def reason_of(error: OSError) -> str:
    """Why a port could not be listened on, in one word."""
    reasons = {
        errno.EADDRINUSE: "in-use",
        errno.EACCES: "no-right",
        errno.EMFILE: "too-many-files",
        errno.ENFILE: "too-many-files",
        errno.EAFNOSUPPORT: "no-such-family",
        errno.EADDRNOTAVAIL: "no-such-address",
        errno.ENOBUFS: "no-memory",
        10013: "in-use",  # WSAEACCES: somebody else holds the port for himself
        10048: "in-use",  # WSAEADDRINUSE
    }
    return reasons.get(getattr(error, "winerror", None) or error.errno or 0, f"error-{error.errno}")


def spans_of(ports: Iterable[tuple[str, int]]) -> list[Any]:
    """[place, first, last] for runs of neighbouring ports."""
    spans: list[Any] = []
    for place, port in sorted(set(ports)):
        if spans and spans[-1][0] == place and spans[-1][2] == port - 1:
            spans[-1][2] = port
        else:
            spans.append([place, port, port])
    return spans


def allow_many_files() -> None:
    """Raise the limit on open files as far as this user may, where the system has such limits."""
    with contextlib.suppress(ImportError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for limit in (max(hard, MANY_FILES), hard):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
                return


@contextlib.contextmanager
def spare_files() -> Iterator[None]:
    """Keep some files back while the doors are opened: for connections, and for waiting."""
    kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(SPARE_FILES)]
    try:
        yield
    finally:
        for number in kept:
            os.close(number)


def watch(doors: list[Door], keys: dict[str, bytes], journal: Journal, minutes: float, leaving: Leaving) -> str:
    """Watch the doors until the time is over; why it ended."""
    memory = Memory()
    few = isinstance(selectors.DefaultSelector(), selectors.SelectSelector)
    size = SHARD if few else max(1, len(doors))
    shards = [doors[start : start + size] for start in range(0, len(doors), size)]
    watchers = [Watcher(shard, keys, journal, memory) for shard in shards]
    for watcher in watchers:
        watcher.start()
    clock = journal.clock
    ends_ms, why = minutes * 60_000, ""
    while not why:
        if leaving.wait(min(BEAT_S, max(0.0, (ends_ms - clock.up_ms()) / 1000))):
            why = "interrupted"
        elif clock.up_ms() >= ends_ms:
            why = "time"
        elif journal.lines >= MAX_LOG_LINES:
            why = "log-full"
        elif any(watcher.failed for watcher in watchers):
            why = "failed"
        beat(journal, watchers, memory)
    for watcher in watchers:
        watcher.leaving.set()
    for watcher in watchers:
        watcher.join()
        watcher.close()
    beat(journal, watchers, memory)
    failures = [watcher.failed for watcher in watchers if watcher.failed]
    why = "failed" if failures else why
    journal.write("end", why=why, totals=dict(memory.totals), failures=failures)
    print(f"ended ({why}): {memory.totals['ok']} questions of the scan arrived", file=sys.stderr)
    return why


def beat(journal: Journal, watchers: Iterable[Watcher], memory: Memory) -> None:
    """One sign of life: up to when everything that came is in the log, and what the clock on the wall says."""
    until_ms = min((watcher.until_ms for watcher in watchers if not watcher.failed), default=0)
    journal.write("beat", until_ms=until_ms, wall_ms=int(time.time() * 1000), totals=dict(memory.totals))


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="flexiscan witness",
        description=(__doc__ or "").split("\n\n")[0],
        epilog="It needs no rule in any firewall but one that lets the control port through, TCP and UDP, for the time"
        " of the test. It opens no connection, changes no setting and ends by itself.",
    )
    parser.add_argument(
        "--code",
        default=os.environ.get("FLEXISCAN_WITNESS_CODE", ""),
        help="the one-time code; - asks for it, @FILE reads it from a file (whoever may list processes sees any other)",
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10, at most 60)")
    parser.add_argument("--log", default="flexiscan-witness.log", help="a new file for the log")
    parser.add_argument("--media-ports", type=int, default=10_001, help="how many of the voice ports to listen on")
    parser.add_argument("--control-port", type=int, default=CONTROL_PORT, help="let through for the test, TCP and UDP")
    parser.add_argument("--bind", action="append", metavar="ADDR", help="listen here alone; repeat for several")
    parser.add_argument(
        "--local-firewall-open",
        action="store_true",
        help="you have let this program receive on every port in this machine's own firewall: without that, silence"
        " proves nothing about the firewall in front",
    )
    parser.add_argument(
        "--only-server",
        action="store_true",
        help="the firewall forwards no port of the public address to another machine: without that, where addresses"
        " are translated, silence here proves nothing about the address",
    )
    parser.add_argument("--new-code", action="store_true", help="print a fresh code and end")
    parser.add_argument("--write", metavar="FILE", help="write this program to a file, to be copied, and end")
    given = parser.parse_args(arguments)
    if not 0 < given.minutes <= MAX_MINUTES:
        parser.error(f"--minutes is more than 0 and at most {MAX_MINUTES}")
    if not 0 < given.control_port < 65536 or given.media_ports < 0:
        parser.error("no such port")
    return given


def main(arguments: list[str] | None = None) -> int:
    """Entry point; the exit code: 0 ended as planned, 1 failed while it ran, 2 wrong use, 130 interrupted."""
    given = read_arguments(arguments)
    if given.new_code:
        print("-".join(secrets.token_hex(3) for _ in range(5)))  # 120 random bits
        return 0
    if given.write:
        shutil.copyfile(os.path.abspath(__file__), given.write)  # noqa: PTH100
        return 0
    try:
        keys = derive_keys(read_code(given.code))
    except ValueError as error:
        print(f"witness: {error}; make one with --new-code", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"witness: {error}", file=sys.stderr)
        return 2
    leaving = Leaving()
    # A flag and no exception: one that came in the middle of a line would leave a log that nobody believes.
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
            signal.signal(getattr(signal, name), leaving.ask)
    try:
        return run(given, keys, leaving)
    except OSError as error:
        print(f"witness: {error}", file=sys.stderr)
        return 2


def read_code(given: str) -> str:
    """The code itself: as given, or from where it is said to be. Raises OSError."""
    if given == "-":
        return getpass.getpass("code: ") if sys.stdin.isatty() else sys.stdin.readline()
    if given.startswith("@"):
        with open(given[1:], encoding="utf-8-sig") as file:  # noqa: PTH123
            return file.read(1000)
    return given


def run(given: argparse.Namespace, keys: dict[str, bytes], leaving: Leaving) -> int:
    """Open the doors, watch them, close the log; the exit code."""
    allow_many_files()
    journal = Journal(given.log, keys["log"], Clock())
    with spare_files():
        doors, refused = open_doors(wanted_ports(given.media_ports, given.control_port), given.bind or [])
    reasons = Counter((place, reason) for place, _, reason in refused)
    journal.write(
        "start",
        version=_VERSION,
        run=secrets.token_hex(8),
        system=sys.platform,
        minutes=given.minutes,
        control_port=given.control_port,
        local_firewall_open=given.local_firewall_open,
        only_server=given.only_server,
        own=own_addresses(),
        bound=spans_of(place for door in doors for place in door.places()),
        refused=[
            [place, reason, spans_of((p, n) for p, n, r in refused if (p, r) == (place, reason))]
            for place, reason in sorted(reasons)
        ],
    )
    count = sum(len(door.families) for door in doors)
    print(f"listening on {count} ports; not on {len(refused)} ({tell(reasons) or '-'})", file=sys.stderr)
    print(f"until {given.minutes:g} minutes are over, or Ctrl-C; log: {given.log}", file=sys.stderr, flush=True)
    try:
        why = watch(doors, keys, journal, given.minutes, leaving) if doors else "nothing"
    finally:
        for door in doors:
            door.sock.close()
        journal.close()
    return {"time": 0, "interrupted": 130}.get(why, 1)


def tell(reasons: Counter[tuple[str, str]]) -> str:
    """Counts with their reasons."""
    return ", ".join(f"{place} {reason}: {count}" for (place, reason), count in sorted(reasons.items()))


if __name__ == "__main__":
    sys.exit(main())

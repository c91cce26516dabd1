"""The process with raw sockets: `python -m flexiscan.net.raw.helper`, orders on standard input, reports on output.

It gives up every privilege but CAP_NET_RAW before it reads a byte; then the scope wall, closed, stands for the whole
process. It ends with its parent (end of input), at its deadline, and at the first line that it does not understand.
Its kernel signal sees to it that it does not outlive a parent that was killed.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from flexiscan.model.raw_message import (
    MAX_DETAIL_CHARACTERS,
    MAX_LINE_BYTES,
    Answered,
    Begin,
    Begun,
    Errors,
    Finish,
    Finished,
    ForgetSyn,
    NotUnderstood,
    Order,
    Refused,
    Report,
    SendSyn,
    Sent,
    TellErrors,
    Widen,
    Widened,
    read_order,
    write_message,
)
from flexiscan.net.obstacle import obstacle_of
from flexiscan.net.raw.half_open import HalfOpen, TooMany
from flexiscan.net.raw.packet_wall import PacketWall
from flexiscan.net.raw.privilege import leave_root, narrow
from flexiscan.net.raw.sniffer import Sniffed, Sniffer
from flexiscan.net.raw.watch import Watch
from flexiscan.net.wall import ScopeWall

NOT_UNDERSTOOD: Final = 3
NO_RIGHT: Final = 4
"""Exit codes, for the parent's words and for the tests."""
_READ_BYTES: Final = 65536
_STDIN, _STDOUT, _STDERR = 0, 1, 2


class PacketSource(Protocol):
    """What passes on the wire: flexiscan.net.raw.sniffer.Sniffer."""

    def fileno(self) -> int:
        """For select."""

    def drain(self) -> Iterable[Sniffed]:
        """What has arrived."""

    def lost(self) -> int:
        """Packets that were lost so far."""


@dataclass(slots=True)
class Helper:
    """Carries out orders. `tell` writes a report."""

    wall: PacketWall
    half_open: HalfOpen
    watch: Watch
    sniffer: PacketSource
    tell: Callable[[Report], None]
    uid: int
    capabilities: tuple[int, ...]
    has_begun: bool = False
    has_finished: bool = False
    pending: bytearray = field(default_factory=bytearray)

    def run(self) -> None:
        """Until the parent is done or gone. Raises NotUnderstood, OSError."""
        with selectors.DefaultSelector() as selector:
            selector.register(_STDIN, selectors.EVENT_READ)
            selector.register(self.sniffer, selectors.EVENT_READ)
            while not self.has_finished:
                ready = {key.fd for key, _ in selector.select()}
                if self.sniffer.fileno() in ready:
                    self._take_packets()
                if _STDIN in ready and not self._take_orders():
                    return

    def _take_orders(self) -> bool:
        data = os.read(_STDIN, _READ_BYTES)
        self.pending += data
        *lines, rest = bytes(self.pending).split(b"\n")
        self.pending[:] = rest
        if len(rest) > MAX_LINE_BYTES:
            raise NotUnderstood("a line without an end")
        for line in lines:
            self.obey(read_order(line))
            if self.has_finished:
                break
        return bool(data)

    def obey(self, order: Order) -> None:
        """Carry out one order. Raises NotUnderstood when it comes at the wrong time or makes no sense."""
        if isinstance(order, Begin) == self.has_begun:
            raise NotUnderstood(f"{order.order} at the wrong time")
        match order:
            case Begin():
                self._begin(order)
            case Widen():
                self._widen(order.wall)
            case SendSyn():
                self._send(order)
            case ForgetSyn():
                self.half_open.forget(order.id)
            case TellErrors():
                self._take_packets()
                self.tell(Errors(address=order.address, capture=self.watch.errors_about(order.address)))
            case Finish():
                self._take_packets()
                self.has_finished = True
                self.half_open.close()
                self.tell(Finished(capture=self.watch.close(self.sniffer.lost())))

    def _begin(self, order: Begin) -> None:
        self.has_begun = True
        signal.alarm(max(1, int(order.deadline_s)))
        if order.capture_descriptor is not None:
            self.watch.open(order.capture_descriptor, order.capture_name, order.max_capture_bytes)
        self.tell(Begun(uid=self.uid, capabilities=self.capabilities))

    def _widen(self, text: str) -> None:
        try:
            wall = ScopeWall.from_json(text)
        except (ValueError, KeyError, TypeError) as error:
            raise NotUnderstood(f"the wall: {error!r}") from error
        self.wall.wall = wall
        self.watch.look_at(wall)
        self.tell(Widened())

    def _send(self, order: SendSyn) -> None:
        try:
            self.half_open.syn(order.id, order.address, order.port)
        except TooMany as error:
            self.tell(Refused(id=order.id, reason="no-resource", detail=str(error)))
        except OSError as error:
            obstacle = obstacle_of(error, order.address)
            detail = obstacle.detail[:MAX_DETAIL_CHARACTERS]
            self.half_open.forget(order.id)
            self.tell(Refused(id=order.id, reason=obstacle.reason, detail=detail))
        except ValueError as error:
            raise NotUnderstood(str(error)) from error
        else:
            self.tell(Sent(id=order.id))

    def _take_packets(self) -> None:
        for sniffed in self.sniffer.drain():
            met = self.watch.take(sniffed, self.half_open)
            if met is not None:
                number, answer = met
                self.tell(Answered(id=number, answer=answer))


class RawSender:
    """Sends whole packets, each only after the wall has looked into it. Raises OSError when there is no raw socket."""

    def __init__(self, wall: PacketWall) -> None:
        self._wall = wall
        self._sockets = {4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)}
        try:
            self._sockets[6] = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        except OSError as error:
            if isinstance(error, PermissionError):
                raise  # without IPv6 there is one family less; without the right there is nothing

    def send(self, packet: bytes) -> None:
        """Send it now. Raises ScopeViolation, OSError."""
        sender = self._sockets.get(packet[0] >> 4)
        if sender is None:
            import errno

            raise OSError(errno.EAFNOSUPPORT, "no IPv6 here")
        sender.sendto(packet, (self._wall.admit(packet), 0))


def _prepare() -> Helper:
    """Give up everything, then open what is needed. Raises OSError when there is no right to."""
    narrow()
    os.environ["XDG_CACHE_HOME"] = os.devnull  # scapy would read pickles from there, and write them
    from flexiscan.net.raw.craft import make_syn

    make_syn("192.0.2.1", 1, "192.0.2.2", 1, sequence=0, ip_id=1, now_ms=0)  # loads what scapy loads late
    make_syn("2001:db8::1", 1, "2001:db8::2", 1, sequence=0, ip_id=1, now_ms=0)
    reports = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)  # what a library prints is no report
    capabilities = leave_root()
    wall = PacketWall(ScopeWall())
    sender, sniffer = RawSender(wall), Sniffer()
    wall.enforce_for_process()

    def tell(report: Report) -> None:
        data = write_message(report)
        while data:
            data = data[os.write(reports, data) :]

    half_open = HalfOpen(make_syn, sender.send)
    return Helper(wall, half_open, Watch(), sniffer, tell, os.getuid(), tuple(sorted(capabilities)))


def main() -> int:
    """The exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who then says finish
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        helper = _prepare()
    except OSError as error:
        sys.stderr.write(f"no raw sockets: {error}\n")
        return NO_RIGHT
    try:
        helper.run()
    except NotUnderstood as error:
        sys.stderr.write(f"not understood: {error}\n")
        return NOT_UNDERSTOOD
    return 0


if __name__ == "__main__":
    sys.exit(main())

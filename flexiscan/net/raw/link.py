"""The scanner's end of the pipes to the process with raw sockets. When that process is gone, nothing waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from flexiscan.model.facts_raw import IcmpCapture, PacketCapture, SynAnswer
from flexiscan.model.raw_message import (
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
    read_report,
    write_message,
)
from flexiscan.net.link import CannotLook
from flexiscan.net.raw.pcap import take_off_torn_end
from flexiscan.net.wall import Opening, ScopeWall
from flexiscan.net.worker import MAX_STDERR_BYTES, end_worker, start_worker

MODULE = "flexiscan.net.raw.helper"
CAPTURE_NAME = "packets.pcap"
MAX_CAPTURE_BYTES = 64 * 1024 * 1024
"""A whole sweep of the media range takes two; what comes after it is counted and not kept."""
DEADLINE_S = 86400.0
"""No scan is meant to last longer; a forgotten one must not keep its privilege."""
START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 10.0
_DETAIL_CHARACTERS = 300

_Key = tuple[str, int | str]
"""Kind of report and what it is about."""


class RawLink:
    """Sends orders, hands out reports. Made by `raw_link`."""

    def __init__(self, process: asyncio.subprocess.Process, capture: Path | None) -> None:
        self._process = process
        self._capture = capture
        self._numbers = itertools.count(1)
        self._expected: dict[_Key, asyncio.Future[Report]] = {}
        self._answers: dict[int, Callable[[SynAnswer], None]] = {}
        self._widening = asyncio.Lock()
        self._openings: tuple[Opening, ...] = ()
        self._end = ""
        """Why there is nothing more to expect."""

    @property
    def process_id(self) -> int:
        """Of the process with raw sockets."""
        return self._process.pid

    async def widen(self, wall: ScopeWall) -> None:
        """Let the process send to what this wall is open for, beside what it could reach before. Raises CannotLook.

        All walls of a run exclude the same networks and ports.
        """
        async with self._widening:
            whole = wall.opened(*self._openings)
            await self._ask(Widen(wall=whole.to_json()), ("widened", 0))
            self._openings = whole.openings

    def number(self) -> int:
        """A number for a new SYN."""
        return next(self._numbers)

    async def send_syn(self, number: int, address: str, port: int) -> None:
        """Send a SYN now, or the same again; returns when it has left. Raises CannotLook."""
        report = await self._ask(SendSyn(id=number, address=address, port=port), ("syn", number))
        if isinstance(report, Refused):
            raise CannotLook(report.reason, report.detail)

    @contextlib.contextmanager
    def answers(self, number: int, heard: Callable[[SynAnswer], None]) -> Iterator[None]:
        """While it lasts, `heard` is called with each answer to a SYN; then the SYN is forgotten."""
        self._answers[number] = heard
        try:
            yield
        finally:
            del self._answers[number]
            with contextlib.suppress(CannotLook):
                self._write(ForgetSyn(id=number))

    async def icmp_errors(self, address: str) -> IcmpCapture:
        """Every ICMP error so far about packets to an address. Raises CannotLook."""
        report = await self._ask(TellErrors(address=address), ("errors", address))
        if not isinstance(report, Errors):
            raise TypeError(f"{type(report).__name__} is no report of errors")
        return report.capture

    async def finish(self) -> PacketCapture:
        """End the process; what was captured. A process that died has left a file that is marked as cut short."""
        try:
            report = await self._ask(Finish(), ("finished", 0))
        except CannotLook:
            report = None
        if isinstance(report, Finished):
            return report.capture
        return self._rest()

    def _rest(self) -> PacketCapture:
        if self._capture is None:
            return PacketCapture(file="")
        try:
            packets, size_bytes = take_off_torn_end(self._capture)
        except OSError:
            return PacketCapture(file=self._capture.name)
        return PacketCapture(file=self._capture.name, packets=packets, size_bytes=size_bytes)

    async def begin(self, descriptor: int | None) -> Begun:
        """The first order. Raises CannotLook."""
        order = Begin(
            deadline_s=DEADLINE_S,
            capture_descriptor=descriptor,
            capture_name="" if self._capture is None else self._capture.name,
            max_capture_bytes=MAX_CAPTURE_BYTES,
        )
        report = await self._ask(order, ("begun", 0), timeout_s=START_TIMEOUT_S)
        if not isinstance(report, Begun):
            raise TypeError(f"{type(report).__name__} is no beginning")
        return report

    async def listen(self) -> None:
        """Hand out reports until the process ends; then let everybody know who still waits."""
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise ValueError("the helper was started without pipes")
        complaints = asyncio.create_task(_last_words(stderr))
        try:
            while line := await stdout.readline():
                self._hand_out(read_report(line))
        except (NotUnderstood, ValueError) as error:
            self._end = f"it said what nobody understands: {error}"
        finally:
            if self._process.returncode is None:
                end_worker(self._process)
            with contextlib.suppress(asyncio.CancelledError):
                self._end = self._end or f"it ended: {await complaints}"
            for waiting in self._expected.values():
                if not waiting.done():
                    waiting.set_exception(self._gone())

    def _hand_out(self, report: Report) -> None:
        if isinstance(report, Answered):
            heard = self._answers.get(report.id)
            if heard is not None:
                heard(report.answer)
            return
        waiting = self._expected.get(_key(report))
        if waiting is not None and not waiting.done():
            waiting.set_result(report)

    async def _ask(self, order: Order, key: _Key, *, timeout_s: float = ANSWER_TIMEOUT_S) -> Report:
        waiting: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._expected[key] = waiting
        try:
            self._write(order)
            async with asyncio.timeout(timeout_s):
                return await waiting
        except TimeoutError:
            raise CannotLook("worker-died", f"the raw helper did not answer within {timeout_s:g} s") from None
        finally:
            if self._expected.get(key) is waiting:
                del self._expected[key]

    def _write(self, order: Order) -> None:
        stdin = self._process.stdin
        if self._end or stdin is None or stdin.is_closing():
            raise self._gone()
        stdin.write(write_message(order))

    def _gone(self) -> CannotLook:
        return CannotLook("worker-died", f"the raw helper: {self._end or 'it ended'}"[:_DETAIL_CHARACTERS])


def _key(report: Report) -> _Key:
    match report:
        case Sent() | Refused():
            return "syn", report.id
        case Errors():
            return "errors", report.address
        case Begun() | Widened() | Finished() | Answered():
            return report.report, 0


async def _last_words(stderr: asyncio.StreamReader) -> str:
    """The end of what it complained."""
    kept = b""
    while chunk := await stderr.read(4096):
        kept = (kept + chunk)[-MAX_STDERR_BYTES:]
    lines = kept.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "without a word")


@contextlib.asynccontextmanager
async def raw_link(capture: Path | None) -> AsyncIterator[RawLink]:
    """The process with raw sockets, started, while the block lasts.

    `capture`: the file to make for packets. Raises CannotLook when the process does not begin, OSError when there is
    such a file already or it cannot be made.
    """
    descriptor = None if capture is None else os.open(capture, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        process = await start_worker(MODULE, descriptors=() if descriptor is None else (descriptor,))
        link = RawLink(process, capture)
        listening = asyncio.create_task(link.listen())
        try:
            await link.begin(descriptor)
            yield link
        finally:
            if process.returncode is None:
                end_worker(process)
            await asyncio.shield(process.wait())
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
    finally:
        if descriptor is not None:
            os.close(descriptor)

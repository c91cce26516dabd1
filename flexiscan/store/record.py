"""The run record: a folder with `record.jsonl`, written line by line, readable after kill -9."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from flexiscan.errors import RecordError
from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.facts import FamilyReach
from flexiscan.model.facts_raw import PacketCapture
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Skip, Task
from flexiscan.model.target import Target
from flexiscan.store.events import (
    EVENT,
    Event,
    Observed,
    PacketsKept,
    Planned,
    RunEnded,
    RunStarted,
    TargetResolved,
    TasksAdded,
)

RECORD_NAME = "record.jsonl"


class RecordWriter:
    """Appends events. Each is on disk (in the kernel's hands) when `write` returns.

    Raises RecordError when the folder already holds a record or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECORD_NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except FileExistsError as error:
            raise RecordError(
                f"{self.path} already holds a run", "choose another --record folder; the old run is untouched"
            ) from error
        except OSError as error:
            raise RecordError(
                f"cannot write the record {self.path}: {error.strerror}", "choose a writable --record folder"
            ) from error

    def write(self, event: Event) -> None:
        """Append one event as one line."""
        line = event.model_dump_json().encode() + b"\n"
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            self._take_back(written)
            raise RecordError(
                f"cannot write the record {self.path}: {error.strerror}", "free some space and scan again"
            ) from error

    def _take_back(self, size_bytes: int) -> None:
        """Remove the beginning of a line that could not be finished: what follows it must stay readable."""
        with contextlib.suppress(OSError):
            whole_lines = os.fstat(self._descriptor).st_size - size_bytes
            os.ftruncate(self._descriptor, whole_lines)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(slots=True)
class HostRecord:
    """Everything that a record holds about one host."""

    target: Target
    resolved: bool = False
    """False: the run ended before its addresses were known."""
    addresses: tuple[TargetAddress, ...] = ()
    reach: tuple[FamilyReach, ...] = ()
    tasks: dict[str, Task] = field(default_factory=dict)
    skips: list[Skip] = field(default_factory=list)
    observations: dict[str, Observation] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """A run record in memory."""

    start: RunStarted
    hosts: dict[str, HostRecord]
    end: RunEnded | None = None
    packets: PacketCapture | None = None

    def add(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case TargetResolved():
                host = self._host(event.target.host)
                host.addresses, host.reach, host.resolved = event.addresses, event.reach, True
            case Planned():
                host = self._host(event.host)
                host.tasks.update((task.id, task) for task in event.plan.tasks)
                host.skips.extend(event.plan.skips)
            case TasksAdded():
                self._host(event.host).tasks.update((task.id, task) for task in event.tasks)
            case Observed():
                self._observe(self._host(event.host), event.observation)
            case PacketsKept():
                self.packets = event.capture
            case RunEnded():
                self.end = event
            case RunStarted():
                raise RecordError("the record holds two runs", "it was put together by hand: use one run a file")

    @staticmethod
    def _observe(host: HostRecord, observation: Observation) -> None:
        if observation.id not in host.tasks:
            raise RecordError(f"the record holds {observation.id!r}, which was never planned", "the record is damaged")
        if observation.id in host.observations:
            raise RecordError(f"the record holds {observation.id!r} twice", "the record is damaged")
        host.observations[observation.id] = observation

    def _host(self, name: str) -> HostRecord:
        try:
            return self.hosts[name]
        except KeyError:
            raise RecordError(f"the record speaks of {name!r}, which its scope does not name") from None


def new_record(start: RunStarted) -> Record:
    """A record that has only begun."""
    return Record(start=start, hosts={t.host: HostRecord(target=t) for t in start.scope.targets})


def read_record(folder: Path) -> Record:
    """Read a record folder (or the file itself). A last line cut short by a crash is left out.

    Raises RecordError when there is no record, or when another line than the last is not readable.
    """
    path = folder / RECORD_NAME if folder.is_dir() else folder
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RecordError(
            f"cannot read the record {path}: {error.strerror}", "name the folder that --record named"
        ) from error
    record: Record | None = None
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            event = EVENT.validate_json(line)
        except ValidationError as error:
            if number == len(lines):
                break  # the run was killed while it wrote this line
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise RecordError(f"{path}, line {number}: {where}: {first['msg']}", "the record is damaged") from error
        if record is None:
            if not isinstance(event, RunStarted):
                raise RecordError(f"{path}, line 1: not the start of a run", "name a flexiscan record")
            record = new_record(event)
        else:
            _add(record, event, f"{path}, line {number}")
    if record is None:
        raise RecordError(f"{path} is empty: the run was ended before it began", "scan again")
    return record


def _add(record: Record, event: Event, place: str) -> None:
    try:
        record.add(event)
    except RecordError as error:
        raise RecordError(f"{place}: {error.cause}", error.next_step) from error

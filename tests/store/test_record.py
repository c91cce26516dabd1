"""The run record: written line by line, readable after every kind of death, and never believed when damaged."""

from __future__ import annotations

import datetime as dt
import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexiscan.errors import RecordError
from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.facts import FamilyReach, TcpExchange
from flexiscan.model.failure import Failure
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Skip, Task
from flexiscan.model.result import AuthorisationShown, Guide, RunFacts, Tool
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.store.events import Event, Observed, Planned, RunEnded, RunStarted, TargetResolved, TasksAdded
from flexiscan.store.record import Record, RecordWriter, new_record, read_record

HOST = "flexi.example.test"
ADDRESS = "192.0.2.10"
NOW = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
TARGET = Target(host=HOST)

START = RunStarted(
    tool=Tool(version="1"),
    guide=Guide(title="Guide", release="1"),
    run=RunFacts(id="run", started=NOW),
    authorisation=AuthorisationShown(authorised_by="test"),
    scope=Scope(authorisation=Authorisation(authorised_by="test"), targets=(TARGET,)),
)
RESOLVED = TargetResolved(
    target=TARGET,
    addresses=(TargetAddress(address=ADDRESS, family="ipv4"),),
    reach=(FamilyReach(family="ipv4", usable=True),),
)
ENDED = RunEnded(ended=NOW, interrupted=False)


def task(name: str = "one") -> Task:
    return Task(id=name, probe="p", host=HOST, role="tcp", address=ADDRESS, transport="tcp", port=80, lane=name)


def planned(*tasks: Task, skips: tuple[Skip, ...] = ()) -> Planned:
    return Planned(host=HOST, plan=Plan(round=1, seed=1, tasks=tasks, skips=skips))


def observed(name: str = "one", connect: str = "reset") -> Observed:
    fact = TcpExchange.model_validate({"connect": connect})
    return Observed(host=HOST, observation=Observation(id=name, started=NOW, ended=NOW, outcome=fact))


STORY: tuple[Event, ...] = (
    START,
    RESOLVED,
    planned(task(), skips=(Skip(host=HOST, role="udp", reason="excluded"),)),
    TasksAdded(host=HOST, tasks=(task("two"),)),
    observed(),
    observed("two", "accepted"),
    ENDED,
)


def write(folder: Path, *events: Event) -> Path:
    with RecordWriter(folder) as writer:
        for event in events:
            writer.write(event)
    return writer.path


class TestWriting:
    """A folder of one's own, one line an event, nobody else's business."""

    def test_what_is_written_is_what_is_read(self, tmp_path: Path) -> None:
        write(tmp_path / "run", *STORY)
        record = read_record(tmp_path / "run")
        kept = new_record(START)
        for event in STORY[1:]:
            kept.add(event)
        assert record == kept
        assert record.end == ENDED
        host = record.hosts[HOST]
        assert (host.resolved, [a.address for a in host.addresses]) == (True, [ADDRESS])
        assert list(host.tasks) == list(host.observations) == ["one", "two"]
        assert [skip.reason for skip in host.skips] == ["excluded"]

    def test_every_event_is_on_disk_when_write_returns(self, tmp_path: Path) -> None:
        with RecordWriter(tmp_path / "run") as writer:
            for count, event in enumerate(STORY, start=1):
                writer.write(event)
                assert len(writer.path.read_bytes().splitlines()) == count

    def test_the_record_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        path = write(tmp_path / "run", START)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_missing_folders_are_made(self, tmp_path: Path) -> None:
        assert write(tmp_path / "a" / "b" / "run", START).is_file()

    def test_a_second_run_in_the_same_folder_is_refused_and_loses_nothing(self, tmp_path: Path) -> None:
        path = write(tmp_path / "run", *STORY)
        before = path.read_bytes()
        with pytest.raises(RecordError, match="already holds a run"):
            RecordWriter(tmp_path / "run")
        assert path.read_bytes() == before

    @pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
    def test_whatever_stands_in_its_place_is_left_alone(self, kind: str, tmp_path: Path) -> None:
        folder = tmp_path / "run"
        folder.mkdir()
        other = tmp_path / "other"
        if kind != "dangling link":
            other.write_text("precious")
        place = folder / "record.jsonl"
        place.write_text("precious") if kind == "file" else place.symlink_to(other)
        with pytest.raises(RecordError):
            RecordWriter(folder)
        assert kind == "dangling link" or other.read_text() == "precious"

    def test_a_file_in_place_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "run").write_text("a file")
        with pytest.raises(RecordError):
            RecordWriter(tmp_path / "run")

    def test_a_short_write_is_carried_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        true_write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: true_write(descriptor, data[:7]))
        write(tmp_path / "run", *STORY)
        monkeypatch.undo()
        assert read_record(tmp_path / "run").end == ENDED


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A disk with room for as many bytes as the list says; a write that does not fit is done in part."""
    room: list[int] = [10**9]
    true_write = os.write

    def write_in_room(descriptor: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = true_write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write_in_room)
    return room


class TestDiskFull:
    """What was written before stays readable, and what is written afterwards too."""

    @pytest.mark.parametrize("room", [0, 1, 50])
    def test_the_error_says_so_and_the_record_stays_whole(
        self, room: int, tmp_path: Path, full_disk: list[int]
    ) -> None:
        with RecordWriter(tmp_path / "run") as writer:
            for event in STORY[:4]:
                writer.write(event)
            full_disk[0] = room
            with pytest.raises(RecordError, match="No space left"):
                writer.write(observed())
        record = read_record(tmp_path / "run")
        assert (record.end, record.hosts[HOST].observations) == (None, {})
        assert list(record.hosts[HOST].tasks) == ["one", "two"]

    def test_when_there_is_room_again_the_end_is_readable(self, tmp_path: Path, full_disk: list[int]) -> None:
        with RecordWriter(tmp_path / "run") as writer:
            for event in STORY[:4]:
                writer.write(event)
            full_disk[0] = 60
            with pytest.raises(RecordError):
                writer.write(observed())
            full_disk[0] = 10**6
            writer.write(RunEnded(ended=NOW, interrupted=True))
        record = read_record(tmp_path / "run")
        assert record.end is not None
        assert record.end.interrupted


class TestReading:
    """A killed run is readable; a damaged record is refused with its line."""

    def lines(self, tmp_path: Path) -> tuple[Path, list[bytes]]:
        path = write(tmp_path / "run", *STORY)
        return path, path.read_bytes().splitlines(keepends=True)

    def test_the_file_itself_can_be_named(self, tmp_path: Path) -> None:
        path, _ = self.lines(tmp_path)
        assert read_record(path) == read_record(path.parent)

    @pytest.mark.parametrize("count", range(1, len(STORY)))
    def test_a_run_killed_between_two_lines(self, count: int, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        path.write_bytes(b"".join(lines[:count]))
        record = read_record(path)
        assert record.end is None
        assert len(record.hosts[HOST].observations) == max(0, count - 4)

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_a_run_killed_in_the_middle_of_a_line(self, data: st.DataObject) -> None:
        whole = b"".join(event.model_dump_json().encode() + b"\n" for event in STORY)
        first = whole.index(b"\n")
        cut = data.draw(st.integers(first, len(whole)))
        record = _read(whole[:cut])
        complete = whole[:cut].count(b"\n") + (whole[cut - 1 : cut] == b"}" and whole[cut : cut + 1] == b"\n")
        assert len(record.hosts[HOST].observations) == max(0, min(complete, 6) - 4)

    @pytest.mark.parametrize("number", [2, 3, 5])
    @pytest.mark.parametrize("damage", [b"\x00" * 40 + b"\n", b"{}\n", b'{"event": "observation"}\n', b"\xff\xfe\n"])
    def test_a_damaged_line_is_named(self, number: int, damage: bytes, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        lines[number - 1] = damage
        path.write_bytes(b"".join(lines))
        with pytest.raises(RecordError, match=f"line {number}"):
            read_record(path)

    def test_a_damaged_last_line_that_was_ended_is_no_sign_of_a_kill(self, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        path.write_bytes(b"".join(lines[:-1]) + b'{"event": "end"\n')
        with pytest.raises(RecordError, match=f"line {len(lines)}"):
            read_record(path)

    @pytest.mark.parametrize("text", [b"", b"\n\n", b'{"event": "ru'])
    def test_a_run_that_was_ended_before_it_began(self, text: bytes, tmp_path: Path) -> None:
        path = tmp_path / "record.jsonl"
        path.write_bytes(text)
        with pytest.raises(RecordError, match="empty"):
            read_record(path)

    def test_a_record_without_its_beginning(self, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        path.write_bytes(b"".join(lines[1:]))
        with pytest.raises(RecordError, match="not the start of a run"):
            read_record(path)

    def test_two_runs_in_one_file(self, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        path.write_bytes(b"".join(lines + lines))
        with pytest.raises(RecordError, match="two runs"):
            read_record(path)

    def test_an_observation_that_nobody_planned(self, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        path.write_bytes(b"".join([*lines[:2], *lines[4:]]))
        with pytest.raises(RecordError, match=r"line 3: .*never planned"):
            read_record(path)

    def test_an_observation_that_stands_there_twice(self, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        path.write_bytes(b"".join([*lines[:5], lines[4], *lines[5:]]))
        with pytest.raises(RecordError, match=r"line 6: .*twice"):
            read_record(path)

    def test_a_host_that_the_scope_does_not_name(self, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        foreign = lines[4].replace(HOST.encode(), b"other.example.test")
        path.write_bytes(b"".join([*lines[:4], foreign, *lines[5:]]))
        with pytest.raises(RecordError, match=r"other\.example\.test"):
            read_record(path)

    def test_a_record_of_a_later_version_is_refused(self, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        path.write_bytes(lines[0].replace(b'"record_version":1', b'"record_version":2') + b"".join(lines[1:]))
        with pytest.raises(RecordError, match="record_version"):
            read_record(path)

    def test_a_field_that_this_version_does_not_know_is_refused(self, tmp_path: Path) -> None:
        path, lines = self.lines(tmp_path)
        lines[4] = lines[4].replace(b'"attempts":1', b'"attempts":1,"mood":"good"')
        path.write_bytes(b"".join(lines))
        with pytest.raises(RecordError, match="line 5"):
            read_record(path)

    @pytest.mark.parametrize("name", ["nowhere", "folder"])
    def test_no_record_there(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        with pytest.raises(RecordError, match="cannot read"):
            read_record(tmp_path / name)


def _read(text: bytes) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.jsonl"
        path.write_bytes(text)
        return read_record(path)


def test_events_of_every_kind_survive_the_trip(tmp_path: Path) -> None:
    failed = Observation(id="one", started=NOW, ended=NOW, outcome=Failure(reason="internal", detail="ä\n\x00\ud7ff"))
    write(tmp_path / "run", START, planned(task()), Observed(host=HOST, observation=failed))
    assert read_record(tmp_path / "run").hosts[HOST].observations["one"] == failed


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from tests.store.test_record import STORY, RecordWriter
writer = RecordWriter(Path(sys.argv[1]))
for event in STORY[:5]:
    writer.write(event)
os.write(writer._descriptor, b'{"event": "observ')
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_for_real(tmp_path: Path) -> None:
    path = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(tmp_path / "run")], env={"PYTHONPATH": path})
    assert done.returncode == -9
    record = read_record(tmp_path / "run")
    assert (record.end, list(record.hosts[HOST].observations)) == (None, ["one"])

"""`flexiscan scan`, `judge` and `report`: exit codes, and what goes to stdout, stderr and files."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from flexiscan.errors import RecordError
from flexiscan.model.facts import Fact
from flexiscan.model.plan import Task
from flexiscan.net.link import CannotLook
from flexiscan.store.record import RecordWriter
from tests.cli.calling import ALLOWED, PUBLIC, Answer, CommandLine, network_of
from tests.engine.made_up_host import V6, MadeUpHost, root
from tests.engine.vulnerable_host import vulnerable_host
from tests.policy.web_world import HOST
from tests.virtual_clock import run_virtually

QUICK = ("--only", "ports.sip-unreachable,dns.*")


def record_of(home: Path) -> Path:
    (record,) = (home / "state" / "flexiscan" / "runs").iterdir()
    return record


def scan(flexiscan: CommandLine, *arguments: object, stdin: str = "", host: str = HOST) -> Answer:
    return flexiscan("scan", host, *ALLOWED, *PUBLIC, *arguments, stdin=stdin)


def interrupted_after_three_seconds(scanning: Coroutine[Any, Any, Any]) -> None:
    """What `asyncio.run` does at a SIGINT: cancel, wait, raise."""

    async def run() -> None:
        running = asyncio.create_task(scanning)
        await asyncio.sleep(3)
        running.cancel()
        await asyncio.wait({running})

    run_virtually(run())
    raise KeyboardInterrupt


class TestExitCodes:
    """The code says what the scan found, and only that."""

    def test_0_when_nothing_failed(self, hardened: MadeUpHost, home: Path, flexiscan: CommandLine) -> None:
        (home / "root.pem").write_text(root().pem)
        answer = scan(flexiscan, "--ca-bundle", "root.pem")
        assert answer.code == 0, answer.out
        assert "pass" in answer.out

    def test_1_when_something_failed(self, flexiscan: CommandLine) -> None:
        with network_of(vulnerable_host()):
            answer = scan(flexiscan, *QUICK)
        assert answer.code == 1
        assert "ports.sip-unreachable" in answer.out

    def test_a_failure_below_the_level_asked_for_is_0(self, flexiscan: CommandLine) -> None:
        with network_of(vulnerable_host()):
            assert scan(flexiscan, *QUICK, "--fail-on", "critical").code == 0

    @pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 3)])
    def test_no_exposure_seen_counts_when_asked_to_be_strict(
        self, strict: tuple[str, ...], code: int, hardened: MadeUpHost, flexiscan: CommandLine
    ) -> None:
        assert scan(flexiscan, "--only", "ports.rtp-unreachable", *strict).code == code

    def test_3_when_something_stayed_open(self, flexiscan: CommandLine) -> None:
        def answer(task: Task, at_s: float) -> Fact | None:
            if task.address == V6:
                raise CannotLook("no-route")
            return None

        with network_of(MadeUpHost(answer)):
            assert scan(flexiscan, *QUICK).code == 3

    def test_5_when_a_probe_is_defective(self, flexiscan: CommandLine) -> None:
        def answer(task: Task, at_s: float) -> Fact | None:
            if task.port == 5060:
                raise ZeroDivisionError
            return None

        with network_of(MadeUpHost(answer)):
            assert scan(flexiscan, *QUICK).code == 5

    def test_5_when_the_tool_itself_is(self, hardened: MadeUpHost, flexiscan: CommandLine) -> None:
        with mock.patch("flexiscan.api.scan.judge_record", side_effect=ZeroDivisionError("defect")):
            answer = scan(flexiscan, *QUICK)
        assert answer.code == 5
        assert "internal error" in answer.err

    def test_2_when_the_disk_is_full(self, hardened: MadeUpHost, flexiscan: CommandLine) -> None:
        with mock.patch.object(RecordWriter, "write", side_effect=RecordError("cannot write the record: full")):
            answer = scan(flexiscan, *QUICK)
        assert answer.code == 2
        assert "cannot write the record: full" in answer.err
        assert "Traceback" not in answer.err

    def test_130_when_interrupted_and_what_was_seen_is_shown(self, home: Path, flexiscan: CommandLine) -> None:
        with network_of(MadeUpHost()), mock.patch("asyncio.run", interrupted_after_three_seconds):
            answer = scan(flexiscan, *QUICK, "--format", "json=result.json")
        assert answer.code == 130
        assert "interrupted" in answer.err
        document = json.loads((home / "result.json").read_text())
        assert (document["run"]["interrupted"], document["exit_code"]) == (True, 130)
        assert document["targets"][0]["endpoints"]
        again = flexiscan("judge", record_of(home), "-q", "--format", "json=-")
        assert json.loads(again.out)["run"]["interrupted"]
        assert again.code == 130

    @pytest.mark.usefixtures("hardened")
    def test_a_second_run_on_the_same_folder(self, home: Path, flexiscan: CommandLine) -> None:
        assert scan(flexiscan, *QUICK, "--record", home / "run").code == 0
        before = (home / "run" / "record.jsonl").read_bytes()
        answer = scan(flexiscan, *QUICK, "--record", home / "run")
        assert (answer.code, "already holds a run" in answer.err) == (2, True)
        assert (home / "run" / "record.jsonl").read_bytes() == before


@pytest.mark.usefixtures("hardened")
class TestOutput:
    """stdout carries only what was asked for; files come whole or not at all."""

    def test_the_summary_goes_to_stdout(self, flexiscan: CommandLine) -> None:
        answer = scan(flexiscan, *QUICK)
        assert HOST in answer.out
        assert answer.out.isprintable() or "\x1b" not in answer.out
        assert answer.err.startswith("record: ")

    def test_unless_a_format_took_stdout(self, flexiscan: CommandLine) -> None:
        answer = scan(flexiscan, *QUICK, "--format", "json=-")
        assert json.loads(answer.out)["exit_code"] == answer.code == 0
        assert HOST in answer.err

    def test_quiet_is_quiet(self, flexiscan: CommandLine) -> None:
        assert scan(flexiscan, *QUICK, "-q") == Answer(0, "", "")

    def test_every_format_into_a_file(self, home: Path, flexiscan: CommandLine) -> None:
        names = {"json": "a.json", "html": "a.html", "markdown": "a.md", "text": "a.txt"}
        scan(flexiscan, *QUICK, *(part for name, path in names.items() for part in ("--format", f"{name}={path}")))
        for path in names.values():
            assert HOST in (home / path).read_text()
        assert sorted(path.name for path in home.iterdir()) == sorted([*names.values(), "state"])

    def test_an_old_file_is_replaced(self, home: Path, flexiscan: CommandLine) -> None:
        (home / "a.json").write_text("old")
        scan(flexiscan, *QUICK, "--format", "json=a.json")
        assert json.loads((home / "a.json").read_text())["schema_version"] == 1

    def test_a_file_that_cannot_be_written_in_the_end_leaves_the_record(
        self, home: Path, flexiscan: CommandLine
    ) -> None:
        (home / "out").mkdir()
        with mock.patch("flexiscan.cli.output.os.fsync", side_effect=OSError(28, "No space left on device")):
            answer = scan(flexiscan, *QUICK, "--format", "json=out/a.json")
        assert answer.code == 2
        assert "No space left on device" in answer.err
        assert list((home / "out").iterdir()) == []
        assert flexiscan("report", record_of(home), "-q", "--format", "json=out/a.json").code == 0

    def test_the_record_is_in_the_state_folder_for_its_owner_alone(self, home: Path, flexiscan: CommandLine) -> None:
        answer = scan(flexiscan, *QUICK)
        record = record_of(home)
        assert str(record) in answer.err
        assert stat.S_IMODE((record / "record.jsonl").stat().st_mode) == 0o600
        assert HOST in record.name

    def test_a_log_of_every_task_on_request(self, flexiscan: CommandLine) -> None:
        answer = scan(flexiscan, *QUICK, "-vv", "--format", "json=-")
        logged = [json.loads(line) for line in answer.err.splitlines() if line.startswith("{")]
        observed = {line["task"] for line in logged if line["event"] == "observed"}
        assert observed == {seen["id"] for seen in json.loads(answer.out)["targets"][0]["observations"]}

    def test_swedish(self, flexiscan: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        english, swedish = scan(flexiscan, *QUICK).out, scan(flexiscan, *QUICK, "--lang", "sv").out
        assert english != swedish
        monkeypatch.setenv("LANG", "sv_SE.UTF-8")
        assert scan(flexiscan, *QUICK).out.splitlines()[3:] == swedish.splitlines()[3:]

    @pytest.mark.parametrize(
        ("option", "environment", "coloured"),
        [
            ((), {}, False),
            (("--color", "always"), {}, True),
            ((), {"FORCE_COLOR": "1"}, True),
            (("--color", "never"), {"FORCE_COLOR": "1"}, False),
            ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ],
    )
    def test_colour_only_where_it_is_wanted(
        self,
        option: tuple[str, ...],
        environment: dict[str, str],
        coloured: bool,
        flexiscan: CommandLine,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert ("\x1b[" in scan(flexiscan, *QUICK, *option).out) is coloured


class TestHosts:
    """Which hosts are scanned, and who allowed it."""

    def hosts(self, answer: Answer) -> list[str]:
        document: dict[str, Any] = json.loads(answer.out)
        return [target["host"] for target in document["targets"]]

    def test_from_stdin_with_comments_and_doubles(self, hardened: MadeUpHost, flexiscan: CommandLine) -> None:
        stdin = f"# ours\n{HOST.upper()}.  # the first\n\nother.example.test\n{HOST}\n"
        answer = scan(flexiscan, "--only", "dns.*", "--format", "json=-", stdin=stdin, host="-")
        assert self.hosts(answer) == [HOST, "other.example.test"]

    def test_beside_arguments(self, hardened: MadeUpHost, flexiscan: CommandLine) -> None:
        answer = scan(flexiscan, "-", "--only", "dns.*", "--format", "json=-", stdin="other.example.test")
        assert self.hosts(answer) == [HOST, "other.example.test"]

    def test_all_of_the_scope_file_or_those_that_are_named(
        self, hardened: MadeUpHost, home: Path, flexiscan: CommandLine
    ) -> None:
        names = [HOST, "other.example.test"]
        targets = "".join(f'[[target]]\nhost = "{name}"\n' for name in names)
        (home / "s.toml").write_text(f'schema = 1\n[authorisation]\nauthorised_by = "A. Svensson"\n{targets}')
        common = ("--scope", "s.toml", "--resolver", "192.0.2.53", "--only", "dns.*", "-q", "--format", "json=-")
        every = flexiscan("scan", *common, *PUBLIC)
        one = flexiscan("scan", names[1].upper(), *common, *PUBLIC)
        assert (self.hosts(every), self.hosts(one)) == (names, names[1:])
        authorisation = json.loads(one.out)["authorisation"]
        assert (authorisation["authorised_by"], len(authorisation["scope_sha256"])) == ("A. Svensson", 64)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "[::1]", "127.8.9.10"])
    def test_loopback_needs_nobody(self, host: str, hardened: MadeUpHost, flexiscan: CommandLine) -> None:
        answer = flexiscan("scan", host, "--only", "ports.tftp-unreachable", "-q", "--format", "json=-")
        assert json.loads(answer.out)["authorisation"]["authorised_by"] == "not needed: loopback"
        assert {task.probe for task in hardened.asked} & {"dns.lookup"} == set()

    def test_a_name_that_resolves_to_loopback_gets_no_packet_there(self, flexiscan: CommandLine) -> None:
        with network_of(MadeUpHost(names={"A": ("127.0.0.1",), "AAAA": ("::1",)})) as host:
            answer = flexiscan("scan", HOST, *ALLOWED, "-q")
        assert {task.probe for task in host.asked} == {"dns.lookup"}
        assert answer.code == 1

    @pytest.mark.parametrize(("option", "family"), [("-4", "192.0.2.10"), ("-6", V6)])
    def test_one_family(self, option: str, family: str, hardened: MadeUpHost, flexiscan: CommandLine) -> None:
        assert scan(flexiscan, *QUICK, option).code == 0
        assert {task.address for task in hardened.asked} == {None, family}


def test_a_dry_run_sends_nothing_and_says_what_it_would(
    hardened: MadeUpHost, home: Path, flexiscan: CommandLine
) -> None:
    answer = scan(flexiscan, "--dry-run")
    assert answer.code == 0
    for words in ("nothing was sent", "pacing floor", "each IPv6 address tcp", "5060", "40000-50000"):
        assert words in answer.out
    assert hardened.asked == []
    assert not (home / "state").exists()


def test_a_prefix_to_send_from_is_named_before_and_after(
    hardened: MadeUpHost, home: Path, flexiscan: CommandLine
) -> None:
    prefix = "2001:db8:6::/64"
    with mock.patch("flexiscan.api.run.is_own", return_value=True):
        planned = scan(flexiscan, "--dry-run", "--source-prefix", prefix)
        answer = scan(
            flexiscan, "--only", "ports.rtp-unreachable", "-q", "--source-prefix", prefix, "--format", "json=-"
        )
    assert f"another address of {prefix}, if a connect from there is answered" in planned.out
    assert json.loads(answer.out)["vantage"]["source_prefix"] == prefix
    sweeps = {task.address: task.params for task in hardened.asked if task.role == "rtp-sweep"}
    assert "source_prefix" not in sweeps["192.0.2.10"]
    assert (sweeps[V6]["source_prefix"], sweeps[V6]["source_control_port"]) == (prefix, 443)
    assert prefix in flexiscan("report", record_of(home)).out


class TestAgain:
    """`judge` and `report` make everything again from the record, without the network."""

    def test_the_same_document(self, home: Path, flexiscan: CommandLine) -> None:
        with network_of(vulnerable_host()):
            first = scan(flexiscan, *QUICK, "-q", "--format", "json=-")
        for command in ("judge", "report"):
            again = flexiscan(command, record_of(home), "-q", "--format", "json=-")
            assert (again.code, again.out) == (first.code, first.out)

    def test_the_level_can_be_another(self, home: Path, flexiscan: CommandLine) -> None:
        with network_of(vulnerable_host()):
            assert scan(flexiscan, *QUICK).code == 1
        assert flexiscan("judge", record_of(home), "--fail-on", "critical").code == 0

    def test_a_damaged_record_is_named_with_its_line(
        self, hardened: MadeUpHost, home: Path, flexiscan: CommandLine
    ) -> None:
        scan(flexiscan, *QUICK)
        path = record_of(home) / "record.jsonl"
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines[:3], "{}", *lines[4:]]))
        answer = flexiscan("judge", record_of(home))
        assert (answer.code, "line 4" in answer.err) == (2, True)

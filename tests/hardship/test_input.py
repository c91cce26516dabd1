"""Bad input to the real command: a sentence, the right exit code, and not one packet."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from tests.hardship.command import SWIFT, Command

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

YESTERDAY = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2)).isoformat()


def scope_file(command: Command, old: str, new: str) -> Path:
    """The lab's scope file with one line changed."""
    text = command.lab.scope_file.read_text()
    assert old in text
    path = command.home / "scope.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def refused(command: Command, code: int, *argv: str | Path) -> str:
    """What the command says when it ends with this code, having sent and written nothing."""
    before = command.sent()
    done = command.run([*command.base, *argv])
    assert done.returncode == code, done
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    assert command.sent() == before
    assert command.records() == []
    return done.stderr.decode()


def test_no_authorisation(command: Command):
    said = refused(command, 4, "scan", command.lab.host, "--resolver", command.lab.resolver)
    assert "nobody has allowed" in said
    assert "--authorised-by" in said


def test_an_expired_scope_file(command: Command):
    (line,) = [line for line in command.lab.scope_file.read_text().splitlines() if line.startswith("valid_until")]
    path = scope_file(command, line, f"valid_until = {YESTERDAY}")
    said = refused(command, 4, "scan", command.lab.host, "--scope", path)
    assert YESTERDAY in said


def test_an_unknown_key_in_the_scope_file(command: Command):
    path = scope_file(command, "apps =", "aps =")
    said = refused(command, 2, "scan", command.lab.host, "--scope", path)
    line = 1 + path.read_text().splitlines().index(
        next(t for t in path.read_text().splitlines() if t.startswith("aps"))
    )
    assert "aps" in said
    assert f"{path}:{line}" in said or f"line {line}" in said


def test_a_host_that_the_scope_file_does_not_name(command: Command):
    said = refused(command, 4, "scan", "other.example.test", *command.lab.scan_arguments())
    assert command.lab.host in said


def test_a_folder_for_the_report_that_does_not_exist(command: Command):
    words = ["scan", command.lab.host, *command.lab.scan_arguments(), "--format", "html=nowhere/report.html"]
    assert "does not exist" in refused(command, 2, *words)


def test_a_list_of_hosts_that_is_empty(command: Command):
    said = refused(command, 2, "scan", "-", *command.lab.scan_arguments())
    assert "no host was named on standard input" in said


@pytest.mark.parametrize("host", ["nobody.example.test", "example.test"])
def test_a_name_that_resolves_to_nothing(host: str, command: Command):
    """One that does not exist, and one that has no address."""
    others = {count.address for count in command.lab.counters()} | {"198.51.100.53"}
    resolver = ["--authorised-by", "The operator", "--resolver", command.lab.resolver]
    done = command.run([*command.base, "scan", host, *resolver, "--format", "json=-"])
    assert done.returncode == 1, done
    findings = json.loads(done.stdout)["targets"][0]["findings"]
    assert {f["rule"] for f in findings if f["verdict"] == "fail"} == {"dns.ipv4-present", "dns.ipv6-present"}
    assert {f["rule"] for f in findings if f["verdict"] == "pass"} <= {"dns.alias-sound"}
    assert {count.address for count in command.lab.counters()} <= others
    assert len(command.records()) == 1


def test_a_second_run_on_the_same_record(command: Command):
    argv = [*command.scan, *SWIFT, "-q", "--record", str(command.home / "run")]
    assert command.run(argv).returncode == 0
    before = (command.home / "run" / "record.jsonl").read_bytes()
    sent = command.sent()
    done = command.run(argv)
    assert (done.returncode, b"already holds a run" in done.stderr) == (2, True)
    assert (command.home / "run" / "record.jsonl").read_bytes() == before
    assert command.sent() == sent

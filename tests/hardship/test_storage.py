"""Full and read-only disks: what was seen is kept, what cannot be kept is said, and nothing passes for it."""

from __future__ import annotations

import json
import os

import pytest

from tests.hardship.command import SWIFT, Command

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="left out: mounting a small disk needs root"),
]

SMALL_DISK = (
    'mount -t tmpfs -o size={size} none "$HOME/small" && "$@"; code=$?; cp -r "$HOME/small" "$HOME/kept"; exit $code'
)
READ_ONLY_HOME = 'mount -t tmpfs -o ro none "$HOME" && exec "$@"'


def on_small_disk(size: str, command: Command, *argv: object) -> tuple[int, str]:
    """Run where `small` in the home is a disk of this size; afterwards `kept` holds what was on it."""
    (command.home / "small").mkdir()
    script = ["unshare", "--mount", "bash", "-c", SMALL_DISK.format(size=size), "bash", *map(str, argv)]
    done = command.run(script)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stderr.decode()


def test_a_disk_that_fills_up_under_the_record(command: Command):
    code, said = on_small_disk("12k", command, *command.scan, "--record", command.home / "small" / "run")
    assert code == 2
    assert "No space left on device" in said
    judged = command.run([*command.base, "judge", command.home / "kept" / "run", "-q", "--format", "json=-"])
    assert judged.returncode == 130, judged
    document = json.loads(judged.stdout)
    assert document["run"]["interrupted"]
    (target,) = document["targets"]
    looked_at = {finding["rule"] for finding in target["findings"] if finding["verdict"] == "pass"}
    assert {rule for rule in looked_at if not rule.startswith("dns.")} == set()


def test_a_disk_too_small_for_the_report(command: Command):
    argv = [*command.scan, *SWIFT, "--format", "html=small/report.html", "--format", "json=result.json"]
    code, said = on_small_disk("4k", command, *argv)
    assert code == 2
    assert "cannot write small/report.html: No space left on device" in said
    assert list((command.home / "kept").iterdir()) == []
    (record,) = command.records()
    assert f"record: {record}" in said
    again = command.run([*command.base, "report", record, "-q", "--format", "html=report.html"])
    assert again.returncode == 0
    assert (command.home / "report.html").read_bytes().rstrip().endswith(b"</html>")


def test_a_home_that_cannot_be_written(command: Command):
    before = command.sent()
    done = command.run(["unshare", "--mount", "bash", "-c", READ_ONLY_HOME, "bash", *command.scan, *SWIFT])
    assert done.returncode == 2
    assert b"Read-only file system" in done.stderr
    assert b"--record" in done.stderr
    assert command.sent() == before


def test_a_home_that_need_not_be_written(command: Command):
    record = command.home.parent / "run"
    argv = [*command.scan, *SWIFT, "--record", record]
    done = command.run(["unshare", "--mount", "bash", "-c", READ_ONLY_HOME, "bash", *map(str, argv)])
    assert done.returncode == 0, done
    assert (record / "record.jsonl").exists()

"""Closed, full and abandoned streams, and terminals that know no UTF-8."""

from __future__ import annotations

import json

import pytest

from tests.hardship.command import SWIFT, Command

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_stdin_closed(command: Command):
    done = command.shell('exec "$@" <&-', [*command.scan, *SWIFT])
    assert done.returncode == 0, done
    assert b"exit 0" in done.stdout


def test_hosts_from_a_stdin_that_is_closed(command: Command):
    done = command.shell('exec "$@" <&-', [*command.base, "scan", "-", *command.lab.scan_arguments()])
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)
    assert b"no host was named" in done.stderr


def test_every_stream_closed(command: Command):
    """As some schedulers start their jobs: files and the exit code are what is wanted."""
    argv = [*command.scan, "--only", "web.x-powered-by-absent,ports.rtp-unreachable", "--format", "json=result.json"]
    done = command.shell('exec "$@" <&- >&- 2>&-', argv)
    document = json.loads((command.home / "result.json").read_text())
    assert done.returncode == document["exit_code"] == 1
    (record,) = command.records()
    assert command.run([*command.base, "judge", record, "-q"]).returncode == 1, "the record is damaged"


@pytest.mark.parametrize("close", [">&-", "2>&-"])
def test_one_stream_closed(close: str, command: Command):
    done = command.shell(f'exec "$@" {close}', [*command.scan, *SWIFT, "--format", "json=result.json"])
    assert done.returncode == 0, done
    assert json.loads((command.home / "result.json").read_text())["exit_code"] == 0
    assert b"Traceback" not in done.stdout + done.stderr


def test_a_reader_that_wants_one_line(command: Command):
    argv = [*command.scan, *SWIFT, "-v", "--format", "text=-", "--format", "json=result.json"]
    done = command.shell('set -o pipefail; "$@" | head -1', argv)
    assert done.returncode in (0, 2), done  # whether head has gone before the end is written is a matter of luck
    assert done.stdout.count(b"\n") == 1
    assert json.loads((command.home / "result.json").read_text())["exit_code"] == 0
    assert b"Traceback" not in done.stderr
    assert b"record: " in done.stderr


@pytest.mark.parametrize("arguments", [("rules",), ("schema",), ("explain", "web.admin-unreachable"), ("--help",)])
def test_a_reader_that_has_gone_is_neither_a_verdict_nor_a_defect(arguments: tuple[str, ...], command: Command):
    done = command.shell('"$@" | true; exit ${PIPESTATUS[0]}', [*command.base, *arguments])
    assert done.returncode in (0, 2), done
    assert b"Traceback" not in done.stderr


def test_a_stdout_that_is_full(command: Command):
    argv = [*command.scan, *SWIFT, "--format", "json=-", "--format", "html=report.html"]
    done = command.shell('exec "$@" >/dev/full', argv)
    assert done.returncode == 2
    assert b"cannot write to stdout: No space left on device" in done.stderr
    assert b"record: " in done.stderr
    assert b"Traceback" not in done.stderr
    assert (command.home / "report.html").exists()


def test_a_stderr_that_is_full(command: Command):
    done = command.shell('exec "$@" 2>/dev/full', [*command.scan, *SWIFT, "-vv"])
    assert done.returncode == 0, done
    assert b"exit 0" in done.stdout


def test_reports_in_swedish_where_the_locale_has_no_utf8(command: Command):
    argv = [*command.scan, *SWIFT, "--lang", "sv", "--format", "html=rapport-åäö.html"]
    done = command.run(argv, **NO_UTF8)
    assert done.returncode == 0, done
    assert "utgåva" in done.stdout.decode("utf-8")
    (page,) = command.home.glob("rapport-*.html")
    assert "utgåva" in page.read_text(encoding="utf-8")


def test_errors_where_the_locale_has_no_utf8(command: Command):
    done = command.run([*command.base, "judge", "ingen-sådan-mapp"], **NO_UTF8)
    assert done.returncode == 2
    assert b"cannot read the record" in done.stderr
    assert b"Traceback" not in done.stderr

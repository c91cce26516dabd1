"""The process with raw sockets: what it gives up, what it refuses, and when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flexiscan.model.raw_message import (
    MAX_LINE_BYTES,
    Begin,
    Begun,
    Finish,
    Finished,
    Refused,
    SendSyn,
    Widen,
    read_report,
    write_message,
)
from flexiscan.net.raw.helper import NO_RIGHT, NOT_UNDERSTOOD
from flexiscan.net.wall import ScopeWall, open_target
from tests.net.raw.helper_run import needs_raw_sockets, said, started, status

pytestmark = needs_raw_sockets

BEGIN = write_message(Begin(deadline_s=60.0))
NET_RAW = f"{1 << 13:016x}"
OPEN = write_message(Widen(wall=ScopeWall(open_target("127.0.0.1"), exclude_ports=[8080]).to_json()))
WITHOUT_RIGHT = """
from flexiscan.net.raw import privilege
privilege._keep(privilege._libc(), ())
from flexiscan.net.raw.helper import main
raise SystemExit(main())
"""


def test_it_holds_one_capability_and_no_user():
    with started() as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        helper.stdin.write(BEGIN)
        helper.stdin.flush()
        begun = read_report(helper.stdout.readline())
        shown = status(helper.pid)
        helper.communicate(timeout=30)
    assert isinstance(begun, Begun)
    assert begun.capabilities == (13,)
    assert (shown["CapEff"], shown["CapPrm"]) == (NET_RAW, NET_RAW)
    assert {shown["CapInh"], shown["CapAmb"]} == {"0" * 16}
    assert shown["NoNewPrivs"] == "1"
    assert "0" not in shown["Uid"].split() + shown["Gid"].split()
    if os.geteuid() == 0:
        assert shown["CapBnd"] == "0" * 16
        assert shown["Groups"] == ""


def test_the_end_of_input_ends_it():
    assert said(BEGIN)[0] == 0


@pytest.mark.parametrize("orders", [b"\xff\x00garbage\n", BEGIN + b"{" * (MAX_LINE_BYTES + 70000)])
def test_it_ends_at_what_it_does_not_understand(orders: bytes):
    code, _, complaints = said(orders)
    assert code == NOT_UNDERSTOOD
    assert b"not understood" in complaints
    assert b"Traceback" not in complaints


def test_nothing_leaves_for_what_is_out_of_scope():
    """The wall is closed before it is widened, and then open for what it says."""
    places = [("127.0.0.1", 9), ("127.0.0.1", 8080), ("127.0.0.2", 80), ("::1", 80), ("192.0.2.77", 80)]
    syns = [write_message(SendSyn(id=n, address=address, port=port)) for n, (address, port) in enumerate(places)]
    _, reports, _ = said(BEGIN + syns[0] + OPEN + b"".join(syns[1:]) + write_message(Finish()))
    refused = [report for report in map(read_report, reports.splitlines()) if isinstance(report, Refused)]
    assert [(report.id, report.reason) for report in refused] == [(n, "outside-scope") for n in range(5)]
    assert isinstance(read_report(reports.splitlines()[-1]), Finished)


def test_it_ends_at_its_deadline():
    with started() as helper:
        assert helper.stdin is not None
        helper.stdin.write(write_message(Begin(deadline_s=1.0)))
        helper.stdin.flush()
        assert helper.wait(timeout=60) == -signal.SIGALRM


def test_it_dies_with_a_parent_that_was_killed(tmp_path: Path):
    """Also when somebody else still holds the other end of its input."""
    script = (
        "import os, subprocess, sys, time\n"
        "helper = subprocess.Popen([sys.executable, '-m', 'flexiscan.net.raw.helper'], stdin=0, stdout=2)\n"
        "print(helper.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stderr is not None
        helper = int(parent.stdout.readline())
        parent.stdin.write(BEGIN)
        parent.stdin.flush()
        assert isinstance(read_report(parent.stderr.readline()), Begun)
        parent.kill()
        parent.wait(timeout=30)
        ends = time.monotonic() + 30
        while Path(f"/proc/{helper}").exists() and status(helper)["State"][0] != "Z":
            assert time.monotonic() < ends, "the helper outlived its parent"


def test_without_the_right_it_says_so():
    done = subprocess.run([sys.executable, "-c", WITHOUT_RIGHT], input=BEGIN, capture_output=True, timeout=60)
    assert done.returncode == NO_RIGHT
    assert done.stdout == b""
    assert b"no raw sockets" in done.stderr

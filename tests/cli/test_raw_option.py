"""`scan --raw` where raw sockets are not allowed: exit code 2, a cause, a next step, and not one packet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.calling import ALLOWED
from tests.policy.web_world import HOST

WITHOUT_RIGHT = """
import sys
from flexiscan.net.raw import privilege
privilege._keep(privilege._libc(), ())

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "subprocess.Popen"):
        print("TRIED", event, arguments, file=sys.stderr)

sys.addaudithook(watch)
from flexiscan.cli.main import main
raise SystemExit(main())
"""


def test_without_the_right_nothing_is_sent(tmp_path: Path):
    record = tmp_path / "record"
    arguments = ("scan", HOST, *ALLOWED, "--raw", "--record", str(record), "--format", "json=-")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RIGHT, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "CAP_NET_RAW" in done.stderr
    assert "run as root" in done.stderr
    assert "TRIED" not in done.stderr
    assert not record.exists()

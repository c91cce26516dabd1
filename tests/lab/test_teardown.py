"""Nothing stays behind: not after the block, not after an exception, not when the owner is interrupted or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
from tests.lab.visiting import is_running, wait_until_gone

pytestmark = pytest.mark.netns
# Kamailio has child processes of its own, so it is the hardest to take down.
SCENARIO = ALL["sip_open_on_udp"]
OWNER = """
import sys, signal
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
with Lab.start(ALL["sip_open_on_udp"]) as lab:
    child = lab.popen(["sleep", "600"])
    print(lab.folder, child.pid, *lab.server_pids.values(), flush=True)
    signal.pause()
"""


def processes_that_mention(text: str) -> list[int]:
    """Processes with the text in their command line, but not this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if text.encode() in words and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found


def named_namespaces() -> set[str]:
    return {path.name for path in Path("/run/netns").glob("*")}


def test_nothing_stays_after_the_block() -> None:
    before = named_namespaces()
    with Lab.start(SCENARIO) as lab:
        folder = lab.folder
        child = lab.popen(["sleep", "600"])
        pids = [child.pid, *lab.server_pids.values(), *processes_that_mention(folder.name)]
        assert all(map(is_running, pids))
    assert not folder.exists()
    assert not any(map(is_running, pids))
    assert processes_that_mention(folder.name) == []
    # The lab's own have no names; those of other tests come and go meanwhile.
    assert not [name for name in named_namespaces() - before if not name.startswith("fx")]


def test_nothing_stays_after_an_exception() -> None:
    seen: list[Lab] = []

    def fail_inside() -> None:
        with Lab.start(SCENARIO) as lab:
            seen.append(lab)
            raise RuntimeError("meant")

    with pytest.raises(RuntimeError, match="meant"):
        fail_inside()
    folder, pids = seen[0].folder, seen[0].server_pids.values()
    assert not folder.exists()
    assert not any(map(is_running, pids))


def test_closing_twice_is_harmless() -> None:
    with Lab.start(ALL["hardened"]) as lab:
        lab.close()
    assert not lab.folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_when_the_owner_is_stopped(number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as owner:
        assert owner.stdout is not None
        folder, *words = owner.stdout.readline().split()
        child, *servers = map(int, words)
        owner.send_signal(number)
        owner.wait(timeout=20)
    wait_until_gone(servers + processes_that_mention(Path(folder).name))
    assert not Path(folder).exists()
    if is_running(child):
        # A command of the owner is its own business when it gets no chance to end it.
        assert number != signal.SIGINT
        os.kill(child, signal.SIGKILL)

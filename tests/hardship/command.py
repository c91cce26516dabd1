"""The real command in a lab, started in the unfriendly ways that shells and schedulers know."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flexiscan_lab.lab import Lab

DEADLINE_S = 60.0
SWIFT = ("--only", "dns.*")
"""Rules that are soon judged: what is tried here is not what is found."""


@dataclass(frozen=True, slots=True)
class Command:
    """`flexiscan` in the scanner's place of a lab, with a home and a working folder of its own."""

    lab: Lab
    home: Path

    @property
    def base(self) -> list[str]:
        """The command without arguments."""
        return [sys.executable, "-m", "flexiscan"]

    @property
    def scan(self) -> list[str]:
        """A whole scan of the lab's host."""
        return [*self.base, "scan", self.lab.host, *self.lab.scan_arguments()]

    def environment(self, **changes: str) -> dict[str, str]:
        """What the command finds: nothing of the user's own state and language."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "XDG_", "PYTHON"))}
        return {**own, "HOME": str(self.home), "PYTHONPATH": os.pathsep.join(sys.path), **changes}

    def run(self, argv: Sequence[str | Path], **changes: str) -> subprocess.CompletedProcess[bytes]:
        """Run to the end; keyword arguments change the environment."""
        done: subprocess.CompletedProcess[bytes] = self.lab.run(
            [str(word) for word in argv],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=self.home,
            env=self.environment(**changes),
            timeout=DEADLINE_S,
        )
        return done

    def shell(self, script: str, argv: Sequence[str | Path], **changes: str) -> subprocess.CompletedProcess[bytes]:
        """Run a bash script in which "$@" is the command."""
        return self.run(["bash", "-c", script, "bash", *argv], **changes)

    def records(self) -> list[Path]:
        """The run records in the state folder."""
        return sorted(self.home.glob(".local/state/flexiscan/runs/*"))

    def sent(self) -> int:
        """Packets that have left the scanner so far."""
        return sum(count.packets for count in self.lab.counters() if count.protocol in ("tcp", "udp"))

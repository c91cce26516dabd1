"""Calls the command line in this process, as its entry point is called, on a made-up network."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import pytest

from flexiscan.cli.main import main
from tests.engine.made_up_host import ASSUME_PUBLIC, RESOLVER, MadeUpHost, made_up_network
from tests.policy.cert_chains import NOW
from tests.virtual_clock import VirtualClock, run_virtually

ALLOWED = ("--authorised-by", "A. Svensson", "--resolver", RESOLVER)
PUBLIC = tuple(part for network in ASSUME_PUBLIC for part in ("--assume-public", network))


@dataclass(frozen=True)
class Answer:
    """What a call gave."""

    code: int
    out: str
    err: str


@dataclass
class CommandLine:
    """Calls `flexiscan`."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object, stdin: str = "") -> Answer:
        """Run with these arguments; the exit code and both streams."""
        argv = ["flexiscan", *map(str, arguments)]
        self.capture.readouterr()
        with (
            mock.patch.object(sys, "argv", argv),
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        shown = self.capture.readouterr()
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, shown.out, shown.err)


@contextmanager
def network_of(host: MadeUpHost) -> Iterator[MadeUpHost]:
    """While it lasts, scans of the command line meet this host, in virtual time."""
    clock = VirtualClock(NOW)
    with (
        made_up_network(host, clock),
        mock.patch("asyncio.run", run_virtually),
        mock.patch("flexiscan.api.scan.Clock", return_value=clock),
    ):
        yield host

"""stdin, stdout and stderr as the commands need them, whatever we were started with."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, Final

from flexiscan.errors import UsageError

STDOUT: Final = 1


def prepare_streams() -> None:
    """Let no closed, full or abandoned stream end a scan, or look like a verdict.

    Schedulers may start us with a stream closed: it then leads to nowhere, so that no file that we open takes its
    number. What stderr does not take is dropped, as nobody is left to tell. What stdout does not take (a full disk,
    a reader that has gone away) raises UsageError where it is written, once.
    """
    for descriptor in range(3):
        _open_if_closed(descriptor)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    if sys.stdout is sys.__stdout__:
        sys.stdout = _writer(STDOUT, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _writer(2, sys.stderr)


class _Outlet(io.FileIO):
    """The unbuffered end of a stream."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._lost = False

    def write(self, data: Any, /) -> int:
        """Write, or drop what nobody takes any more."""
        if not self._lost:
            try:
                return super().write(data)
            except OSError as error:
                self._lost = True
                if self.fileno() == STDOUT:
                    raise UsageError(
                        f"cannot write to stdout: {error.strerror}",
                        "what a scan saw is in its record: flexiscan report RECORD",
                    ) from error
        return memoryview(data).nbytes


def _writer(descriptor: int, before: Any) -> io.TextIOWrapper:
    outlet = _Outlet(descriptor)
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=getattr(before, "encoding", "utf-8"),
        errors=getattr(before, "errors", "replace"),
        line_buffering=descriptor != STDOUT or outlet.isatty(),
    )


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)

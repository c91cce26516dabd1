"""The one-time code of a witness as options take it: not only where everybody who lists processes can read it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from flexiscan.errors import UsageError

MAX_CODE_CHARACTERS = 1000

Command = TypeVar("Command", bound=Callable[..., Any] | click.Command)


def witness_code_option(help_text: str) -> Callable[[Command], Command]:
    """The option --witness; the function gets `code`."""
    return click.option(
        "--witness",
        "code",
        metavar="CODE",
        envvar="FLEXISCAN_WITNESS_CODE",
        help=f"{help_text} - asks for the code, @FILE reads it from a file; or set FLEXISCAN_WITNESS_CODE.",
    )


def read_witness_code(given: str | None) -> str | None:
    """The code itself, from where it is said to be; None when none was given. Raises UsageError."""
    if not given:
        return None
    if given == "-":
        return _ask()
    if given.startswith("@"):
        path = Path(given[1:])
        try:
            with path.open(encoding="utf-8-sig") as file:
                return file.read(MAX_CODE_CHARACTERS).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read a code from {path}: {error}", "check the path after --witness @") from error
    return given


def _ask() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("code", hide_input=True, err=True)).strip()
    line = sys.stdin.readline(MAX_CODE_CHARACTERS).strip()
    if not line:
        raise UsageError("there is no code on standard input", "write it there, or --witness @FILE")
    return line

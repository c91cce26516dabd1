"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flexiscan.errors import UsageError
from flexiscan.model.finding import SEVERITIES

LANGUAGES = ("en", "sv")

FORMATS_HELP = (
    "Write the result in a format to a file; - is stdout. Repeat for several. Formats: html, json, text, markdown."
)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options about what is written and how the exit code is decided."""
    options = [
        click.option("--format", "formats", multiple=True, metavar="NAME=PATH", help=FORMATS_HELP),
        click.option("--lang", type=click.Choice(LANGUAGES), default=_default_language, help="Language of the texts."),
        click.option(
            "--fail-on",
            type=click.Choice(SEVERITIES),
            default="medium",
            show_default=True,
            help="The mildest severity whose failures give exit code 1.",
        ),
        click.option("--strict", is_flag=True, help="Let 'no exposure seen' count as incomplete (exit code 3)."),
        click.option("--color", type=click.Choice(("auto", "always", "never")), default="auto", show_default=True),
        click.option("--plain", is_flag=True, help="One sentence a line: for screen readers and mail."),
        click.option("-v", "--verbose", count=True, help="Show passes too; twice: log every task to stderr."),
        click.option("-q", "--quiet", is_flag=True, help="No progress and no summary."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _default_language() -> str:
    return "sv" if os.environ.get("LC_ALL", os.environ.get("LANG", "")).startswith("sv") else "en"


def parse_formats(texts: tuple[str, ...], known: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(format, path) pairs; path "-" is stdout. Raises UsageError."""
    parsed: list[tuple[str, str]] = []
    for text in texts:
        name, separator, path = text.partition("=")
        if not separator or not path:
            raise UsageError(
                f"--format {text!r} lacks a path", f"write --format {name or 'json'}=PATH, or =- for stdout"
            )
        if name not in known:
            raise UsageError(f"there is no format {name!r}", f"formats: {', '.join(known)}")
        parsed.append((name, path))
    if sum(path == "-" for _, path in parsed) > 1:
        raise UsageError("only one format can go to stdout", "give the others a file name")
    for path in (path for _, path in parsed if path != "-"):
        check_writable(Path(path))
    return tuple(parsed)


def check_writable(path: Path) -> None:
    """Raise UsageError now rather than after the scan when a file cannot be written."""
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "name a file in it")
    if not folder.is_dir():
        raise UsageError(f"the folder {folder} does not exist", f"create it: mkdir -p {folder}")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write into {folder}", "choose another folder")


def wants_color(choice: str, stream: Any) -> bool:
    """Whether to colour a stream: the option, then NO_COLOR and FORCE_COLOR, then whether it is a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return bool(stream.isatty())


def comma_list(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Items of a repeatable option that also takes comma lists."""
    return tuple(item.strip() for text in texts for item in text.split(",") if item.strip())


def parse_resolver(text: str) -> str:
    """ADDR[#PORT] as ADDR#PORT. Raises UsageError."""
    import ipaddress

    address, _, port = text.partition("#")
    if not re.fullmatch(r"\d{1,5}", port or "53") or not 0 < int(port or "53") <= 65535:
        raise UsageError(f"--resolver {text!r}: {port!r} is not a port", "write ADDR or ADDR#PORT")
    try:
        literal = ipaddress.ip_address(address.strip("[]"))
    except ValueError as error:
        raise UsageError(
            f"--resolver {text!r}: {address!r} is not an address",
            "write ADDR or ADDR#PORT, for example 192.0.2.53#53",
        ) from error
    return f"{literal}#{port or '53'}"


def parse_network(text: str) -> str:
    """A network in prefix notation. Raises UsageError."""
    import ipaddress

    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise UsageError(f"--assume-public {text!r}: {error}", "write a network such as 192.0.2.0/24") from error


def state_folder() -> Path:
    """The user's state folder (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return root / "flexiscan"


def is_terminal() -> bool:
    """Whether somebody watches stderr."""
    return sys.stderr.isatty()

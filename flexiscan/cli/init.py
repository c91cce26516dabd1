"""`flexiscan init`: asks what a scan must know and writes a scope file with an explanation of every key."""

from __future__ import annotations

import datetime as dt
import ipaddress
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import click

from flexiscan.cli.options import is_terminal
from flexiscan.cli.output import write_file
from flexiscan.cli.scope_text import Answers, scope_text
from flexiscan.errors import UsageError
from flexiscan.host_name import normalise_host
from flexiscan.model.target import App, DeclaredPort
from flexiscan.scope_file import read_scope_file

DEFAULT_FILE: Final = Path("flexiscan.toml")
VALID_DAYS: Final = 365
"""An authorisation that nobody looks at for longer than a year is no longer one."""


@click.command(
    epilog="""\b
Examples:
  flexiscan init
  flexiscan init flexi.example.se --authorised-by "A. Svensson, CIO" --out customer.toml
  flexiscan init flexi.example.se --authorised-by "A. Svensson" --app presentity --app mobile --valid-until 2027-03-31

\b
Then:
  flexiscan scan --scope flexiscan.toml --dry-run
  flexiscan scan --scope flexiscan.toml --format html=report.html

\b
Exit codes: 0 the file was written, 2 something is missing or the file is there already; nothing was written.
"""
)
@click.argument("host", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_FILE,
    show_default=True,
    help="Where to write it.",
)
@click.option("--authorised-by", default="", metavar="TEXT", help="Who allows the scan: name and role.")
@click.option("--customer", default="", metavar="TEXT", help="Whose server it is.")
@click.option("--contact", default="", metavar="TEXT", help="Whom to call when something goes wrong.")
@click.option("--valid-until", metavar="DATE", help="Last day of the authorisation (default: in a year).")
@click.option("--address", "addresses", multiple=True, metavar="ADDR", help="What DNS must say; repeat for each.")
@click.option("--app", "apps", multiple=True, type=click.Choice(get_args(App)), help="Published on purpose; repeat.")
@click.option("--port", "ports", multiple=True, type=click.Choice(get_args(DeclaredPort)), help="Open on purpose.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def init(host: str | None, out: Path, force: bool, **given: Any) -> int:
    """Write a scope file: what may be scanned, who allowed it, and what is published on purpose.

    Asks for what was not given; without a terminal nothing is asked, and HOST and --authorised-by must be given.
    Nothing is sent.
    """
    if out.exists() and not force:
        raise UsageError(f"{out} is there already", "choose another --out, or replace it with --force")
    answers = _asked(host, given) if sys.stdin.isatty() and is_terminal() else _given(host, given)
    write_file(out, scope_text(answers).encode(), next_step="choose another --out")
    read_scope_file(out, today=_today())  # what we write, we can read
    click.echo(f"Written: {out}. Look it over, then see what a scan would send:\n")
    click.echo(f"  flexiscan scan --scope {out} --dry-run")
    click.echo(f"  flexiscan scan --scope {out} --format html=report.html")
    return 0


def _given(host: str | None, given: dict[str, Any]) -> Answers:
    missing = [name for name, value in (("HOST", host), ("--authorised-by", given["authorised_by"])) if not value]
    if missing:
        raise UsageError(f"not given: {', '.join(missing)}", "there is no terminal here to ask at")
    return Answers(
        host=normalise_host(host or ""),
        authorised_by=_line(given["authorised_by"]),
        customer=_line(given["customer"]),
        contact=_line(given["contact"]),
        valid_until=_day(given["valid_until"] or _in_a_year()),
        addresses=_addresses(given["addresses"]),
        apps=tuple(given["apps"]) or None,
        ports=tuple(given["ports"]),
    )


def _asked(host: str | None, given: dict[str, Any]) -> Answers:
    """Ask for each thing that was not given; an empty answer to an optional one leaves it out."""
    click.echo("This writes a scope file. Enter takes what stands in brackets; Ctrl-C ends without a file.\n", err=True)
    name = _ask("Host name of the server, as its users write it", host or "", check=normalise_host)
    who = _ask("Who allows the scan (name and role)", given["authorised_by"], check=_needed)
    customer = _ask("Whose server is it", given["customer"])
    contact = _ask("Whom to call when something goes wrong", given["contact"])
    until = _ask("Last day on which it is allowed", given["valid_until"] or "", default=_in_a_year(), check=_date)
    apps = given["apps"] or _choose("Which web applications are published on purpose", get_args(App))
    ports = given["ports"] or _choose("Which other services are open on purpose", get_args(DeclaredPort))
    return Answers(
        host=name,
        authorised_by=who,
        customer=customer,
        contact=contact,
        valid_until=_day(until),
        addresses=_addresses(given["addresses"]),
        apps=tuple(apps) or None,
        ports=tuple(ports),
    )


def _ask(text: str, given: str, *, default: str = "", check: Callable[[str], str] | None = None) -> str:
    """The answer, asked for again until it is right; at once where it was given."""
    if given:
        return _line(given if check is None else check(given))
    while True:
        answer = _line(click.prompt(text, default=default, show_default=bool(default), err=True))
        try:
            return answer if check is None else check(answer)
        except UsageError as error:
            click.echo(f"  {error.cause}" + (f": {error.next_step}" if error.next_step else ""), err=True)


def _choose(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Some of the known words, separated by blanks or commas; none is an answer too."""
    while True:
        answer = click.prompt(
            f"{text} ({' '.join(known)}; empty: not declared)", default="", show_default=False, err=True
        )
        chosen = tuple(dict.fromkeys(answer.replace(",", " ").split()))
        strange = [word for word in chosen if word not in known]
        if not strange:
            return chosen
        click.echo(f"  not known: {', '.join(strange)}", err=True)


def _addresses(texts: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_address(text)) for text in texts)
    except ValueError as error:
        raise UsageError(
            str(error), "give addresses, for example --address 192.0.2.10 --address 2001:db8::10"
        ) from error


def _needed(text: str) -> str:
    if not text:
        raise UsageError("without a name nothing may be scanned")
    return text


def _line(text: str) -> str:
    """One line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _day(text: str) -> dt.date:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no date", "write it as 2027-03-31") from error
    if day < _today():
        raise UsageError(f"{text} is over", "give the last day on which scans are allowed")
    return day


def _date(text: str) -> str:
    """A day that is still to come, as text."""
    return str(_day(text))


def _today() -> dt.date:
    return dt.datetime.now().astimezone().date()


def _in_a_year() -> str:
    return str(_today() + dt.timedelta(days=VALID_DAYS))

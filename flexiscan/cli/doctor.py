"""`flexiscan doctor`: what this machine and its network can see."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from flexiscan.cli.options import is_terminal, parse_resolver, wants_color
from flexiscan.cli.witness_code import read_witness_code, witness_code_option

if TYPE_CHECKING:
    from flexiscan.api.doctor import Diagnosis


@click.command(
    epilog="""\b
Examples:
  flexiscan doctor
  flexiscan doctor --control-host 198.51.100.7 --control-host 2001:db8::7 --authorised-by "A. Svensson, CIO" --witness -
  flexiscan doctor --control-host ADDR --authorised-by WHO --witness @code --json > vantage.json
  flexiscan scan flexi.example.se --scope customer.toml --vantage vantage.json

\b
Exit codes: 0 a scan from here can see everything that was looked at, 2 usage, 3 it cannot, 4 nobody has allowed
questions to the control host.
"""
)
@click.option("--resolver", "resolvers", multiple=True, metavar="ADDR[#PORT]", help="Ask this name server.")
@click.option(
    "--control-host",
    "control_hosts",
    multiple=True,
    metavar="ADDR",
    help="A machine of yours outside: which ports get out to it? Repeat for the other family.",
)
@click.option("--authorised-by", default="", metavar="TEXT", help="Who allowed questions to the control host.")
@witness_code_option("A witness runs on the control host under this code.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scan --vantage.")
@click.option("--color", type=click.Choice(("auto", "always", "never")), default="auto", show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def doctor(
    resolvers: tuple[str, ...],
    control_hosts: tuple[str, ...],
    authorised_by: str,
    code: str | None,
    as_json: bool,
    color: str,
    quiet: bool,
) -> int:
    """Say what a scan from here can see: families, resolvers, clock, rights, and the ways out.

    Four questions go to each resolver, and the guide's ports are tried towards the control host; nothing else is
    sent. The control host needs --authorised-by: without, nothing is sent at all.
    """
    from flexiscan.api.doctor import DoctorRequest, diagnose
    from flexiscan.cli.doctor_text import as_lines
    from flexiscan.net.event_loop import run as run_loop
    from flexiscan.net.resolv_conf import system_resolvers

    servers = tuple(parse_resolver(text) for text in resolvers) or system_resolvers()
    request = DoctorRequest(servers, control_hosts, authorised_by, read_witness_code(code))
    with _steps(quiet=quiet) as step:
        diagnosis = run_loop(diagnose(request, step=step))
    if as_json:
        click.echo(as_document(diagnosis))
    else:
        colored = wants_color(color, sys.stdout)
        click.echo(as_lines(diagnosis, _width(), colored=colored), color=colored)
    return diagnosis.exit_code


def as_document(diagnosis: Diagnosis) -> str:
    """The diagnosis as JSON: what `scan --vantage` reads."""
    from flexiscan.policy.vantage import VANTAGE_VERSION

    checks = [
        {"name": c.name, "state": c.state, "seen": c.seen, "means": c.means, "next_step": c.next_step}
        for c in diagnosis.checks
    ]
    ways = {"blind": diagnosis.blind, "reached": diagnosis.reached}
    made = diagnosis.made.isoformat()
    return json.dumps({"doctor": VANTAGE_VERSION, "made": made, "checks": checks, **ways}, indent=2)


def _width() -> int:
    import shutil

    return min(shutil.get_terminal_size((100, 24)).columns, 110)


@contextlib.contextmanager
def _steps(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """What is looked at now, on a terminal."""
    if quiet or not is_terminal():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("looking") as status:
        yield lambda text: status.update(escape(text))

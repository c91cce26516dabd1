"""`flexiscan doctor`: what this machine and its network can see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from flexiscan.cli.options import parse_resolver

if TYPE_CHECKING:
    from flexiscan.api.doctor import Diagnosis


@click.command(
    epilog="""\b
Examples:
  flexiscan doctor
  flexiscan doctor --control-host 198.51.100.7 --authorised-by "A. Svensson, CIO" --witness CODE
  flexiscan doctor --control-host ADDR --authorised-by WHO --json > vantage.json
  flexiscan scan flexi.example.se --scope customer.toml --vantage vantage.json
"""
)
@click.option("--resolver", "resolvers", multiple=True, metavar="ADDR[#PORT]", help="Ask this name server.")
@click.option("--control-host", metavar="ADDR", help="A machine of yours outside: which ports get out to it?")
@click.option("--authorised-by", default="", metavar="TEXT", help="Who allowed questions to the control host.")
@click.option(
    "--witness",
    "code",
    metavar="CODE",
    envvar="FLEXISCAN_WITNESS_CODE",
    help="A witness runs on the control host under this code.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scan --vantage.")
def doctor(
    resolvers: tuple[str, ...], control_host: str | None, authorised_by: str, code: str | None, as_json: bool
) -> int:
    """Say what a scan from here can see: families, resolvers, clock, rights, and the ways out.

    Nothing is sent but to the resolvers and to the control host. Exit code 3: verdicts would be incomplete.
    """
    import asyncio

    from flexiscan.api.doctor import DoctorRequest, diagnose
    from flexiscan.net.resolv_conf import system_resolvers

    servers = tuple(parse_resolver(text) for text in resolvers) or system_resolvers()
    diagnosis = asyncio.run(diagnose(DoctorRequest(servers, control_host, authorised_by, code or None)))
    click.echo(as_document(diagnosis) if as_json else as_lines(diagnosis))
    return diagnosis.exit_code


def as_document(diagnosis: Diagnosis) -> str:
    """The diagnosis as JSON: what `scan --vantage` reads."""
    from flexiscan.policy.vantage import VANTAGE_VERSION

    checks = [
        {"name": c.name, "state": c.state, "seen": c.seen, "means": c.means, "next_step": c.next_step}
        for c in diagnosis.checks
    ]
    made = diagnosis.made.isoformat()
    return json.dumps({"doctor": VANTAGE_VERSION, "made": made, "checks": checks, "blind": diagnosis.blind}, indent=2)


def as_lines(diagnosis: Diagnosis) -> str:
    """One paragraph a check."""
    lines: list[str] = []
    width = max(len(check.name) for check in diagnosis.checks)
    for check in diagnosis.checks:
        lines.append(f"{check.state:8}{check.name:{width}}  {check.seen}")
        more = (check.means, check.next_step and f"next: {check.next_step}")
        lines += [f"{'':8}{'':{width}}  {word}" for word in more if word]
    return "\n".join(lines)

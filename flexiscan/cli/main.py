"""The command line: arguments in, api calls, an exit code out. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
import traceback

import click

from flexiscan.cli.streams import prepare_streams
from flexiscan.errors import FlexiScanError

EXAMPLES = """\b
Examples:
  flexiscan scan flexi.example.se --authorised-by "A. Svensson, CIO"
  flexiscan scan --scope customer.toml --format html=report.html --format json=result.json
  flexiscan scan flexi.example.se --scope customer.toml --dry-run
  flexiscan judge RECORD --format text=-
  flexiscan explain web.admin-unreachable
"""

INTERNAL = 5

COMMANDS = {
    "scan": "flexiscan.cli.scan:scan",
    "init": "flexiscan.cli.init:init",
    "judge": "flexiscan.cli.record:judge",
    "report": "flexiscan.cli.record:report",
    "rules": "flexiscan.cli.rules:rules",
    "explain": "flexiscan.cli.rules:explain",
    "schema": "flexiscan.cli.rules:schema",
    "doctor": "flexiscan.cli.doctor:doctor",
    "witness": "flexiscan.cli.witness:witness",
}


class _LazyCommands(click.Group):
    """A group that imports a command only when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module_name, _, attribute = place.partition(":")
        module = __import__(module_name, fromlist=[attribute])
        command = getattr(module, attribute)
        if not isinstance(command, click.Command):
            raise TypeError(place)
        return command


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from flexiscan.identity import tool_version

    click.echo(f"flexiscan {tool_version()}")
    ctx.exit()


@click.group(cls=_LazyCommands, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def cli() -> None:
    """Check from outside, over IPv4 and IPv6, whether a Datatal Flexi server keeps its hardening guide.

    Exit codes: 0 nothing failed, 1 a failure at or above --fail-on, 2 usage, 3 incomplete, 4 refused by scope,
    5 internal error, 130 interrupted.
    """


def main() -> None:
    """Entry point of the `flexiscan` command."""
    prepare_streams()
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = 2
    except FlexiScanError as error:
        click.echo(f"flexiscan: {error.cause}", err=True)
        if error.next_step:
            click.echo(f"  {error.next_step}", err=True)
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except Exception:  # noqa: BLE001 - exit code 1 means "a failure was found", so a defect of ours must not give it
        traceback.print_exc()
        click.echo("flexiscan: internal error, see above; what was recorded is kept", err=True)
        code = INTERNAL
    sys.exit(code if isinstance(code, int) else 0)

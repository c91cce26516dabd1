"""`flexiscan judge` and `flexiscan report`: everything again from a record, without the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flexiscan.cli.options import output_options
from flexiscan.cli.witness_code import read_witness_code, witness_code_option
from flexiscan.errors import UsageError

if TYPE_CHECKING:
    from flexiscan.api import WitnessProof

RECORD = click.argument("record", type=click.Path(path_type=Path))


@click.command(
    epilog="""\b
Examples:
  flexiscan judge ~/.local/state/flexiscan/runs/20261123T021400Z-flexi.example.se
  flexiscan judge RECORD --format html=report.html --lang sv
  flexiscan judge RECORD --witness-log flexiscan-witness.log --witness @code
"""
)
@RECORD
@click.option(
    "--witness-log", type=click.Path(path_type=Path), metavar="FILE", help="The log of the witness on the server."
)
@witness_code_option("The code of that log.")
@output_options
def judge(record: Path, witness_log: Path | None, code: str | None, **options: Any) -> int:
    """Judge a recorded run again with the rules of this version. Sends nothing.

    RECORD is the folder of the run (or its record.jsonl).
    """
    from flexiscan.api import WitnessProof

    if witness_log is None:
        return _again(record, witness=None, **options)
    code = read_witness_code(code)
    if not code:
        raise UsageError("--witness-log needs the code of the log", "give --witness CODE")
    return _again(record, witness=WitnessProof(witness_log, code), **options)


@click.command(
    epilog="""\b
Examples:
  flexiscan report RECORD --format html=report.html --format json=result.json
  flexiscan report RECORD --format markdown=-
"""
)
@RECORD
@output_options
def report(record: Path, **options: Any) -> int:
    """Write reports of a recorded run. Sends nothing.

    RECORD is the folder of the run (or its record.jsonl).
    """
    return _again(record, witness=None, **options)


def _again(
    record: Path,
    *,
    witness: WitnessProof | None,
    formats: tuple[str, ...],
    lang: str,
    fail_on: Any,
    strict: bool,
    color: str,
    plain: bool,
    verbose: int,
    quiet: bool,
) -> int:
    from flexiscan.api.judge import judge as judge_folder
    from flexiscan.cli.options import parse_formats
    from flexiscan.cli.output import Output
    from flexiscan.engine.registry import format_names

    output = Output(parse_formats(formats, format_names()), lang, color, plain, verbose, quiet)
    document = judge_folder(record, fail_on=fail_on, strict=strict, witness=witness)
    output.write(document)
    return document.exit_code

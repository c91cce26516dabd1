"""`flexiscan judge` and `flexiscan report`: everything again from a record, without the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flexiscan.cli.options import check_writable, output_options
from flexiscan.cli.proofs import keep_proof as keep_proof_file
from flexiscan.cli.proofs import proof_option, read_proofs
from flexiscan.cli.witness_code import read_witness_code, witness_code_option
from flexiscan.errors import UsageError

if TYPE_CHECKING:
    from flexiscan.api import WitnessProof
    from flexiscan.model.stored_proof import StoredProof

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
@click.option(
    "--keep-proof",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what the log proves to a new file, for later scans to cite (--proof).",
)
@proof_option
@output_options
def judge(
    record: Path,
    witness_log: Path | None,
    code: str | None,
    keep_proof: Path | None,
    proofs: tuple[Path, ...],
    **options: Any,
) -> int:
    """Judge a recorded run again with the rules of this version. Sends nothing.

    RECORD is the folder of the run (or its record.jsonl).
    """
    from flexiscan.api import WitnessProof

    if witness_log is None:
        if keep_proof is not None:
            raise UsageError("--keep-proof needs the log that proves something", "give --witness-log FILE")
        return _again(record, proofs=proofs, **options)
    code = read_witness_code(code)
    if not code:
        raise UsageError("--witness-log needs the code of the log", "give --witness CODE")
    if keep_proof is not None:
        check_writable(keep_proof)
    return _again(record, witness=WitnessProof(witness_log, code), proofs=proofs, kept=keep_proof, **options)


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
    return _again(record, **options)


def _again(
    record: Path,
    *,
    witness: WitnessProof | None = None,
    proofs: tuple[Path, ...] = (),
    kept: Path | None = None,
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
    cited = _cited(record, proofs)
    document = judge_folder(record, fail_on=fail_on, strict=strict, witness=witness, proofs=cited)
    output.write(document)
    if witness is not None and kept is not None:
        keep_proof_file(document, record, witness.log_path, kept)
    return document.exit_code


def _cited(folder: Path, paths: tuple[Path, ...]) -> tuple[StoredProof, ...]:
    """The proofs that the run in a record may cite."""
    if not paths:
        return ()
    from flexiscan.store.record import read_record

    record = read_record(folder)
    return read_proofs(paths, record.hosts, record.end.ended if record.end else record.start.run.started)

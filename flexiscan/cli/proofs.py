"""The options about proofs: to keep what a witness proved, and to cite it in later runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from flexiscan.cli.options import state_folder

if TYPE_CHECKING:
    from flexiscan.model.result import ResultDocument
    from flexiscan.model.stored_proof import StoredProof

KEY_NAME: Final = "proof-key"

proof_option = click.option(
    "--proof",
    "proofs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Cite what a witness proved earlier (judge --keep-proof), where the silence is the same. Repeat for several.",
)


def read_proofs(paths: Iterable[Path], hosts: Collection[str], now: dt.datetime) -> tuple[StoredProof, ...]:
    """Proofs that a run over these hosts at this time may cite. Raises UsageError."""
    from flexiscan.api.proof import read_proof

    return tuple(read_proof(path, state_folder() / KEY_NAME, hosts, now) for path in paths)


def keep_proof(document: ResultDocument, record: Path, log: Path, path: Path) -> None:
    """Write what was proven to a file, and say so. Raises UsageError."""
    from flexiscan.api.proof import proofs_of, write_proof
    from flexiscan.errors import UsageError
    from flexiscan.policy.witness.citing import MAX_AGE

    proofs = proofs_of(document, record, log)
    if not proofs:
        click.echo("no proof was kept: the log proves no silence beyond doubt on a way that is known", err=True)
        return
    if len(proofs) > 1:
        hosts = ", ".join(proof.host for proof in proofs)
        raise UsageError(f"the log proves something about several hosts: {hosts}", "scan and judge one at a time")
    write_proof(proofs[0], path, state_folder() / KEY_NAME)
    until = proofs[0].proven_at + MAX_AGE
    click.echo(f"proof kept: {path}; scans may cite it until {until:%Y-%m-%d} (--proof)", err=True)

"""The log of a witness beside a run record: read, checked, and handed to the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flexiscan.errors import UsageError
from flexiscan.model.facts_witness import WitnessExchange
from flexiscan.model.stored_proof import StoredProof
from flexiscan.model.witness_message import WitnessKeys, witness_keys
from flexiscan.policy.witness.log import MAX_LOG_BYTES, WitnessLogError, read_log
from flexiscan.policy.witness.sight import WitnessSight
from flexiscan.store.record import Record


@dataclass(frozen=True, slots=True)
class WitnessProof:
    """Where the log lies, and the code that it was written under."""

    log_path: Path
    code: str = field(repr=False)


def keys_of_code(code: str) -> WitnessKeys:
    """The keys of a code. Raises UsageError for one that is too short."""
    try:
        return witness_keys(code)
    except ValueError as error:
        raise UsageError(f"--witness: {error}", "make one with: flexiscan witness --new-code") from error


def judge_options(record: Record, witness: WitnessProof | None, proofs: Sequence[StoredProof] = ()) -> dict[str, Any]:
    """What the rules about ports need beside the facts. Raises UsageError for a log that proves nothing.

    `proofs`: read and checked by flexiscan.api.proof; those that the run was given stand in its record.
    """
    kept = [StoredProof.model_validate(proof) for proof in record.start.judge_options.get("proofs", ())]
    options: dict[str, Any] = {"proofs": (*kept, *proofs)} if kept or proofs else {}
    vantage = record.start.judge_options.get("vantage")
    if vantage is not None:
        options["vantage"] = vantage
    if witness is not None:
        if not _has_asked(record):
            raise UsageError(
                "the scan of this record asked no witness, so no log can prove anything about it",
                "run the witness on the server and scan meanwhile: flexiscan scan ... --witness CODE",
            )
        keys = keys_of_code(witness.code)
        try:
            log = read_log(_read(witness.log_path), keys.log)
        except WitnessLogError as error:
            raise UsageError(
                f"{witness.log_path} proves nothing: {error}",
                "take the whole log of the witness that ran during the scan, and the code that both were given",
            ) from error
        options["witness"] = WitnessSight.of(log, keys, record.start.run.id)
    return options


def _has_asked(record: Record) -> bool:
    facts = (observation.outcome for host in record.hosts.values() for observation in host.observations.values())
    return any(isinstance(fact, WitnessExchange) for fact in facts)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_LOG_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check the path after --witness-log") from error

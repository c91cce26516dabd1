"""Proof files: what a witness proved in one run, kept for later runs to cite.

A file is sealed with a key that stays on this machine: whoever cites a proof has to be able to rely on it that the
log was checked here, because the code of the log is not kept.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from flexiscan.errors import UsageError
from flexiscan.model.finding import Finding
from flexiscan.model.result import ResultDocument
from flexiscan.model.stored_proof import ProvenSilence, SilenceSeen, StoredProof
from flexiscan.policy.witness.citing import MAX_AGE, is_timely
from flexiscan.store.record import RECORD_NAME

MAX_PROOF_BYTES: Final = 4 * 1024 * 1024
_KEY_BYTES: Final = 32


def proofs_of(document: ResultDocument, record: Path, log: Path) -> tuple[StoredProof, ...]:
    """One unsealed proof for each host of which the log proved anything beyond doubt."""
    record_file = record / RECORD_NAME if record.is_dir() else record
    proofs: list[StoredProof] = []
    for target in document.targets:
        proven = [(f, silence) for f in target.findings if (silence := _as_silence(f)) is not None]
        if proven:
            proof = StoredProof(
                host=target.host,
                proven_at=document.run.started,
                run=document.run.id,
                witness_run=str(proven[0][0].params["witness_run"]),
                log_sha256=_sha256(log),
                record_sha256=_sha256(record_file),
                silences=tuple(silence for _, silence in proven),
            )
            proofs.append(proof)
    return tuple(proofs)


def _as_silence(finding: Finding) -> ProvenSilence | None:
    """What a finding proves for later; None when it is in the least doubt."""
    params = finding.params
    if finding.verdict != "pass" or finding.confidence != "confirmed" or "witness_silence" not in params:
        return None
    if finding.address is None or finding.family is None or finding.transport is None:
        return None
    first, last = (finding.port, finding.port) if finding.port else (params["first_port"], params["last_port"])
    return ProvenSilence(
        address=finding.address,
        family=finding.family,
        transport=finding.transport,
        first_port=first,
        last_port=last,
        silence=SilenceSeen.model_validate(params["witness_silence"]),
    )


def write_proof(proof: StoredProof, path: Path, key_file: Path) -> None:
    """Seal a proof and write it to a new file. Raises UsageError."""
    sealed = proof.model_copy(update={"mac": _seal(proof, _key(key_file, may_make=True))})
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(sealed.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"cannot keep the proof in {path}: {error.strerror}", "name a new file") from error


def read_proof(path: Path, key_file: Path, hosts: Collection[str], now: dt.datetime) -> StoredProof:
    """A proof that a run over these hosts at this time may cite. Raises UsageError that says why it may not."""
    proof = _parse(path)
    try:
        key = _key(key_file, may_make=False)
    except UsageError:
        key = b""
    if not key or not hmac.compare_digest(_seal(proof, key), proof.mac):
        raise UsageError(
            f"{path} was changed, or was made by another user or on another machine",
            "make it again here: flexiscan judge RECORD --witness-log LOG --witness CODE --keep-proof FILE",
        )
    if proof.host not in hosts:
        raise UsageError(f"{path} is about {proof.host}, which this run does not look at", "name the proof of its host")
    if not is_timely(proof, now):
        when = f"{proof.proven_at:%Y-%m-%d}"
        if proof.proven_at > now:
            raise UsageError(f"{path} is of {when}, later than this run", "cite it in runs that follow it")
        raise UsageError(
            f"{path} is of {when}: a proof may be cited for {MAX_AGE.days} days", "run the witness on the server again"
        )
    return proof


def _parse(path: Path) -> StoredProof:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PROOF_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check the path after --proof") from error
    try:
        return StoredProof.model_validate_json(data)
    except ValidationError as error:
        raise UsageError(f"{path} is no proof", "make one with: flexiscan judge ... --keep-proof FILE") from error


def _seal(proof: StoredProof, key: bytes) -> str:
    text = json.dumps(proof.without_mac(), sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _key(path: Path, *, may_make: bool) -> bytes:
    """The key of this installation. Raises UsageError."""
    try:
        if may_make:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(secrets.token_bytes(_KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the key of proofs {path}: {error.strerror}", "check its folder") from error
    if len(key) != _KEY_BYTES:
        raise UsageError(f"{path} is no key of proofs", "remove it; proofs made with it can no longer be cited")
    return key


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error

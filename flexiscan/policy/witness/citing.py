"""An earlier proof beside today's silence: cited with its date where both look the same, and never turned into a pass.

A proof is about then. Whoever opened the ports since for a server that stays silent changed nothing that can be seen
from outside, so the verdict stays what today's silence makes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from flexiscan.model.facts import TcpPath
from flexiscan.model.path_reading import last_router, server_distance
from flexiscan.model.stored_proof import ProvenSilence, SilenceSeen, StoredProof
from flexiscan.policy.rule import Case, Judgement, Seen

MAX_AGE: Final = dt.timedelta(days=90)
"""External scans are due at least once every three months (PCI DSS 4.0, 11.3.2): what is older has been skipped."""
_SILENT_RESULTS: Final = frozenset({"no-exposure-seen", "filtered"})


def silence_seen(judgement: Judgement, paths: Iterable[Seen]) -> SilenceSeen | None:
    """What the silence behind a judgement looks like; None when it is none, or when the way there is not known."""
    params = judgement.params
    if judgement.result not in _SILENT_RESULTS or not judgement.rests_on_absence:
        return None
    if "icmp" in params or params.get("silent") != params.get("ports_asked"):  # some of a range were answered for
        return None
    for seen in paths:
        if not isinstance(seen.fact, TcpPath):
            continue
        distance, router = server_distance(seen.fact), last_router(seen.fact)
        if distance is None or router is None or router.icmp is None or router.icmp.offender is None:
            return None
        return SilenceSeen(
            server_hops=distance,
            last_router=router.icmp.offender,
            last_router_hops=router.hop_limit,
            dropped_within_hops=params.get("dropped_within_hops"),
        )
    return None


def with_citation(case: Case, judgement: Judgement, first_port: int, last_port: int) -> Judgement:
    """The judgement, with the latest proof that speaks of this port and of the same silence."""
    proofs = [proof for proof in case.options.get("proofs", ()) if isinstance(proof, StoredProof)]
    about = [(proof, found) for proof in proofs for found in _about(proof, case, first_port, last_port)]
    if not about or judgement.confidence != "tentative" or "arrived" in str(judgement.params.get("witness", "")):
        return judgement
    today = silence_seen(judgement, case.of("tcp-path"))
    now = dt.datetime.fromtimestamp(case.now_s, dt.UTC)
    same = [proof for proof, found in about if found.silence == today and is_timely(proof, now)]
    if not same:
        return replace(judgement, params={**judgement.params, "proof": "not-the-same"})
    proof = max(same, key=lambda proof: proof.proven_at)
    cited = {
        "proof": "cited",
        "proven_on": f"{proof.proven_at:%Y-%m-%d}",
        "proven_days_ago": (now - proof.proven_at).days,
        "proof_log": proof.witness_run,
    }
    return replace(judgement, params={**judgement.params, **cited})


def is_timely(proof: StoredProof, now: dt.datetime) -> bool:
    """Whether a run at this time may cite a proof: neither long after it nor before it."""
    return dt.timedelta(0) <= now - proof.proven_at <= MAX_AGE


def _about(proof: StoredProof, case: Case, first_port: int, last_port: int) -> list[ProvenSilence]:
    subject = case.subject
    wanted = (subject.address, subject.family, subject.transport)
    return [
        found
        for found in proof.silences
        if proof.host == case.target.host
        and (found.address, found.family, found.transport) == wanted
        and found.first_port <= first_port
        and last_port <= found.last_port
    ]

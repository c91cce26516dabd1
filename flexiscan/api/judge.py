"""From a record to a result document, without the network, at any time and with newer rules."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from flexiscan.api.witness import WitnessProof, judge_options
from flexiscan.engine.addresses import names_known
from flexiscan.model.endpoint import FAMILIES
from flexiscan.model.facts import FamilyReach
from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.finding import VERDICTS, Finding, Severity
from flexiscan.model.result import (
    ControlTally,
    EndpointShown,
    ResultDocument,
    Summary,
    TargetResult,
    Vantage,
    VantageFamily,
)
from flexiscan.model.stored_proof import StoredProof
from flexiscan.policy.controls import CONTROL_ROLE
from flexiscan.policy.evaluate import Evidence, evaluate
from flexiscan.policy.exit_code import exit_code
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rules import RULES
from flexiscan.policy.rules.host import HOST_AREA, host_findings
from flexiscan.policy.selection import Selection
from flexiscan.policy.trust_store import trust_options
from flexiscan.store.record import HostRecord, Record, read_record


def judge(
    folder: Path,
    *,
    fail_on: Severity = "medium",
    strict: bool = False,
    witness: WitnessProof | None = None,
    proofs: Sequence[StoredProof] = (),
) -> ResultDocument:
    """Judge the run recorded in a folder. Raises RecordError, and UsageError for a witness's log that is not one."""
    return judge_record(read_record(folder), fail_on=fail_on, strict=strict, witness=witness, proofs=proofs)


def judge_record(
    record: Record,
    *,
    fail_on: Severity = "medium",
    strict: bool = False,
    witness: WitnessProof | None = None,
    proofs: Sequence[StoredProof] = (),
) -> ResultDocument:
    """Judge a run record. The same record, rules and log of a witness always give the same document."""
    interrupted = record.end is None or record.end.interrupted
    beside = judge_options(record, witness, proofs)
    targets = tuple(_target_result(record, host, interrupted, beside) for host in record.hosts.values())
    findings = [finding for target in targets for finding in target.findings]
    run = record.start.run.model_copy(
        update={
            "ended": record.end.ended if record.end else None,
            "interrupted": interrupted,
            "packets": record.packets,
        }
    )
    return ResultDocument(
        tool=record.start.tool,
        guide=record.start.guide,
        run=run,
        authorisation=record.start.authorisation,
        vantage=_vantage(record),
        targets=targets,
        summary=_summary(findings),
        exit_code=exit_code(
            findings,
            fail_on=fail_on,
            strict=strict,
            interrupted=interrupted,
            internal_error=_has_internal_error(record, findings),
        ),
    )


def _target_result(record: Record, host: HostRecord, interrupted: bool, beside: dict[str, Any]) -> TargetResult:
    start = record.start
    profile = load_profile()
    selection = Selection(start.only, start.skip)
    replies = [o.outcome for o in host.observations.values() if isinstance(o.outcome, DnsReply)]
    evidence = Evidence(
        target=host.target,
        scope=start.scope,
        addresses=host.addresses,
        families=start.families,
        names_known=names_known(host.target, replies) if host.resolved else {},
        tasks=host.tasks,
        skips=tuple(host.skips),
        observations=host.observations,
        interrupted=interrupted,
        depth=start.run.depth,
        now_s=_end_of(record, host).timestamp(),
        options={
            **trust_options(start.judge_options),
            "sources": {found.family: found.source_address for found in host.reach},
            **beside,
            "sight": start.sight,
        },
    )
    judged = evaluate(profile, RULES, selection, evidence)
    attested = {finding.rule: finding for finding in host_findings(profile, start.scope)}
    findings = tuple(
        attested[f.rule] if f.rule.startswith(HOST_AREA) and selection.includes(f.rule) else f for f in judged
    )
    return TargetResult(
        host=host.target.host,
        endpoints=tuple(
            EndpointShown(address=a.address, family=a.family, state=a.state, origin=a.origin) for a in host.addresses
        ),
        findings=findings,
        observations=tuple(host.observations.values()),
    )


def _end_of(record: Record, host: HostRecord) -> dt.datetime:
    """The moment that validity is judged at: the end of the run, or the last thing seen of a killed one."""
    if record.end is not None:
        return record.end.ended
    return max((o.ended for o in host.observations.values()), default=record.start.run.started)


def _summary(findings: Iterable[Finding]) -> Summary:
    tally = Counter(finding.verdict for finding in findings)
    return {verdict: tally[verdict] for verdict in VERDICTS}


def _has_internal_error(record: Record, findings: Iterable[Finding]) -> bool:
    if any(finding.result == "internal" for finding in findings):
        return True
    return any(
        observation.outcome.kind == "failure" and observation.outcome.reason == "internal"
        for host in record.hosts.values()
        for observation in host.observations.values()
    )


def _vantage(record: Record) -> Vantage:
    reach: dict[str, FamilyReach] = {}
    for host in record.hosts.values():
        for found in host.reach:
            known = reach.get(found.family)
            if known is None or (found.usable and not known.usable):
                reach[found.family] = found
    families = {family: _family(reach.get(family)) for family in FAMILIES}
    controls = tuple(tally for host in record.hosts.values() for tally in _controls(host))
    return Vantage(
        ipv4=families["ipv4"],
        ipv6=families["ipv6"],
        controls=controls,
        sight=record.start.sight,
        source_prefix=record.start.source_prefix,
    )


def _family(reach: FamilyReach | None) -> VantageFamily:
    if reach is None:
        return VantageFamily(usable=False, reason="not-looked-at")
    reason = "" if reach.usable else "no-route"
    return VantageFamily(usable=reach.usable, source_address=reach.source_address, reason=reason)


def _controls(host: HostRecord) -> Iterable[ControlTally]:
    asked: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for task_id, observation in host.observations.items():
        task = host.tasks[task_id]
        if task.role != CONTROL_ROLE or task.address is None:
            continue
        asked[task.address] += 1
        outcome = observation.outcome
        answered[task.address] += outcome.kind == "tcp" and outcome.connect in ("accepted", "reset")
    return [ControlTally(address=a, asked=asked[a], answered=answered[a]) for a in sorted(asked)]

"""Applies rules to what was seen. The only place where failures and gaps are read: they become `inconclusive`.

No verdict is assumed: a rule must say `holds`, every task it needs must have brought a fact, the facts must be
named, and the controls of the address must have answered around them; only then is it a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flexiscan.model.endpoint import FAMILIES, Family, TargetAddress
from flexiscan.model.finding import Confidence, Finding, Severity, Verdict
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Skip, Task
from flexiscan.model.profile import Profile, RuleEntry
from flexiscan.model.target import Depth, Scope, Target
from flexiscan.policy.controls import CONTROL_ROLE, Beat, beats_of, obstacle
from flexiscan.policy.rule import (
    CANARY_ROLES,
    FOUND_ROLE,
    Case,
    Ground,
    Judgement,
    Need,
    Outcome,
    Rule,
    Seen,
    Subject,
    accepted_ports,
    listed_ports,
)
from flexiscan.policy.selection import Selection
from flexiscan.policy.sight import confidence_in_sight
from flexiscan.policy.vantage import blind_ports

VERDICT_OF: Mapping[Outcome, Verdict] = {
    "holds": "pass",
    "violated": "fail",
    "cannot-tell": "inconclusive",
    "not-applicable": "not_applicable",
}
NOT_CHECKED_REASONS = frozenset({"not-selected", "depth"})
"""Skips that the user chose: the rule was not checked, which is no statement at all."""
CHOSEN_SKIPS = NOT_CHECKED_REASONS | {"excluded"}
"""Skips that leave a judgement about the rest whole; any other skip is a gap."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about one host at the end of a run."""

    target: Target
    scope: Scope
    addresses: tuple[TargetAddress, ...]
    families: tuple[Family, ...]
    """Those that the user asked for."""
    names_known: Mapping[Family, bool]
    """Whether DNS gave a definite answer (also "none") for the family."""
    tasks: Mapping[str, Task]
    skips: tuple[Skip, ...]
    observations: Mapping[str, Observation]
    interrupted: bool
    depth: Depth
    now_s: float
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Judges one host."""

    profile: Profile
    rules: Mapping[str, Rule]
    selection: Selection
    evidence: Evidence
    seen: Mapping[str, Seen]
    tasks_of: Mapping[str, Sequence[Task]]
    """Tasks by role, in plan order."""
    beats: Mapping[str, tuple[Beat, ...]]

    def findings(self) -> tuple[Finding, ...]:
        """One or more findings for every rule of the profile: none is ever missing."""
        found: list[Finding] = []
        for entry in self.profile.rules:
            found.extend(self._rule_findings(entry))
        return tuple(found)

    def _rule_findings(self, entry: RuleEntry) -> list[Finding]:
        rule = self.rules.get(entry.id)
        if not self.selection.includes(entry.id):
            return [self._unjudged(entry, Subject(), "not_checked", "not-selected")]
        if rule is None:
            return [self._unjudged(entry, Subject(), "not_checked", "not-built")]
        try:
            subjects = tuple(rule.subjects(self._ground()))
            by_address = self._is_by_address(rule)
        except Exception as error:  # noqa: BLE001 - a defect in one rule must not take the others' findings away
            return [self._unjudged(entry, Subject(), "inconclusive", "internal", detail=repr(error))]
        findings = [self._judge(rule, entry, subject) for subject in subjects]
        if by_address:
            findings.extend(self._without_addresses(rule, entry))
        return findings or [self._unjudged(entry, Subject(), "not_checked", rule.without_subject)]

    def _is_by_address(self, rule: Rule) -> bool:
        """Whether the rule would have findings if there were an address."""
        sample = TargetAddress(address="192.0.2.1", family="ipv4")
        evidence = self.evidence
        ground = Ground(evidence.target, evidence.scope, self.profile, (sample,), evidence.depth, {sample.address: ()})
        return any(subject.address for subject in rule.subjects(ground))

    def _without_addresses(self, rule: Rule, entry: RuleEntry) -> list[Finding]:
        """Findings for addresses that may not be looked at, and for families that have no address."""
        findings = [
            self._unjudged(entry, Subject(address=address.address), "inconclusive", "out-of-scope")
            for address in self.evidence.addresses
            if address.state != "in-scope" and address.family in self.evidence.families
        ]
        for family in FAMILIES:
            if any(address.family == family for address in self.evidence.addresses):
                if family not in self.evidence.families:
                    findings.append(self._of_family(entry, family, "not_checked", "not-selected"))
            elif family not in self.evidence.families:
                findings.append(self._of_family(entry, family, "not_checked", "not-selected"))
            elif self.evidence.names_known.get(family, False):
                findings.append(self._of_family(entry, family, "not_applicable", "no-address"))
            else:
                findings.append(self._of_family(entry, family, "inconclusive", "addresses-unknown"))
        return findings

    def _usable_addresses(self) -> tuple[TargetAddress, ...]:
        return tuple(
            address
            for address in self.evidence.addresses
            if address.state == "in-scope" and address.family in self.evidence.families
        )

    def _ground(self) -> Ground:
        evidence = self.evidence
        usable = self._usable_addresses()
        accepted = accepted_ports(usable, self.seen.values())
        for address, ports in self._unknown_ports().items():
            accepted[address] = tuple(sorted({*accepted.get(address, ()), *ports}))
        listed = listed_ports(self.seen.values())
        return Ground(evidence.target, evidence.scope, self.profile, usable, evidence.depth, accepted, listed)

    def _unknown_ports(self) -> dict[str, set[int]]:
        """TCP ports that were to be asked and could not be: they may accept, so no finding about them is left out."""
        unknown: dict[str, set[int]] = {}
        for task in self.evidence.tasks.values():
            others = {CONTROL_ROLE, FOUND_ROLE, *CANARY_ROLES}
            if task.id in self.seen or task.gate != "tcp" or task.role in others:
                continue
            if task.address is not None and task.port is not None:
                unknown.setdefault(task.address, set()).add(task.port)
        return unknown

    def _judge(self, rule: Rule, entry: RuleEntry, subject: Subject) -> Finding:
        facts = {need.role: self._facts(need, subject) for need in rule.needs}
        evidence = self.evidence
        case = Case(
            subject=subject,
            target=evidence.target,
            scope=evidence.scope,
            profile=self.profile,
            addresses=self._usable_addresses(),
            depth=evidence.depth,
            now_s=evidence.now_s,
            facts=facts,
            options=evidence.options,
        )
        try:
            return self._finding(rule, entry, subject, rule.judge(case))
        except Exception as error:  # noqa: BLE001 - a defect in one rule must not take the others' findings away
            return self._unjudged(entry, subject, "inconclusive", "internal", detail=repr(error))

    def _finding(self, rule: Rule, entry: RuleEntry, subject: Subject, judgement: Judgement) -> Finding:
        if rule.results.get(judgement.result) != judgement.outcome:
            raise ValueError(f"{judgement.outcome} {judgement.result!r} is not a result of the rule")
        reason = self._what_is_missing(rule, subject, judgement)
        if reason in NOT_CHECKED_REASONS:
            return self._unjudged(entry, subject, "not_checked", reason)
        if reason:
            return self._unjudged(entry, subject, "inconclusive", reason, judgement)
        return _finding(
            entry,
            subject,
            verdict=VERDICT_OF[judgement.outcome],
            result=judgement.result,
            severity=judgement.severity or entry.severity,
            confidence=confidence_in_sight(self.evidence.options, judgement),
            params=judgement.params,
            because=tuple(seen.id for seen in judgement.because),
        )

    def _what_is_missing(self, rule: Rule, subject: Subject, judgement: Judgement) -> str:
        """Why the judgement cannot stand as it is; "" when it can."""
        if judgement.outcome in ("holds", "violated") and not judgement.because:
            return self._gap(rule, subject) or "not-looked-at"
        if judgement.outcome == "violated" and not judgement.rests_on_absence:
            return ""
        gap = self._gap(rule, subject)
        if gap and (judgement.outcome != "cannot-tell" or judgement.rests_on_absence or not judgement.because):
            return gap
        if not _needs_controls(rule, judgement):
            return ""
        if self._does_not_get_out(subject) and judgement.outcome != "cannot-tell":
            return "vantage-blind"
        beside = {need.role for need in rule.needs if need.beside}
        judging = [seen for seen in judgement.because if seen.task.role not in beside]
        controlled = [seen for seen in judging if self._has_controls(seen)]
        if judgement.outcome == "holds" and not controlled:
            return "nothing-answers"
        return self._lost_control(controlled)

    def _does_not_get_out(self, subject: Subject) -> bool:
        """Whether packets to the port end in the scanner's own network, as the doctor found."""
        vantage = self.evidence.options.get("vantage")
        if not isinstance(vantage, Mapping) or not (subject.family and subject.transport and subject.port):
            return False
        return blind_ports(vantage, subject.family, subject.transport, subject.port, subject.port) > 0

    def _has_controls(self, seen: Seen) -> bool:
        """Whether a fact is about an address of the target; questions to name servers have no controls."""
        address = seen.task.address
        return address is not None and (seen.task.gate != "dns" or address in self.beats)

    def _lost_control(self, controlled: Iterable[Seen]) -> str:
        """Why the controls around these facts do not hold; "" when they do."""
        for seen in controlled:
            address = seen.task.address or ""
            reason = obstacle(self.beats.get(address, ()), seen.started_s, seen.ended_s)
            if reason:
                return "interrupted" if self.evidence.interrupted and reason == "control-lost" else reason
        return ""

    def _gap(self, rule: Rule, subject: Subject) -> str:
        """The reason why a needed fact is not there; "" when all are."""
        for need in sorted((n for n in rule.needs if not n.beside), key=lambda need: need.optional):
            planned = [task for task in self.tasks_of.get(need.role, ()) if _serves(task, need, subject)]
            for task in planned:
                observation = self.evidence.observations.get(task.id)
                if observation is None:
                    return "interrupted" if self.evidence.interrupted else "not-looked-at"
                if observation.outcome.kind == "failure":
                    return _failure_result(observation.outcome.reason, task)
            skipped = self._skip_reason(need, subject)
            if not planned and not need.optional:
                return skipped or "not-looked-at"
            if skipped and skipped not in CHOSEN_SKIPS:
                return skipped
        return ""

    def _skip_reason(self, need: Need, subject: Subject) -> str:
        for skip in self.evidence.skips:
            if _serves(skip, need, subject):
                return skip.reason
        return ""

    def _facts(self, need: Need, subject: Subject) -> tuple[Seen, ...]:
        return tuple(
            self.seen[task.id]
            for task in self.tasks_of.get(need.role, ())
            if task.id in self.seen and _serves(task, need, subject)
        )

    def _unjudged(
        self,
        entry: RuleEntry,
        subject: Subject,
        verdict: Verdict,
        result: str,
        judgement: Judgement | None = None,
        detail: str = "",
    ) -> Finding:
        because = () if judgement is None else tuple(seen.id for seen in judgement.because)
        params = {"detail": detail} if detail else {}
        return _finding(entry, subject, verdict=verdict, result=result, because=because, params=params)

    def _of_family(self, entry: RuleEntry, family: Family, verdict: Verdict, result: str) -> Finding:
        finding = _finding(entry, Subject(), verdict=verdict, result=result)
        return finding.model_copy(update={"family": family})


def evaluate(profile: Profile, rules: Iterable[Rule], selection: Selection, evidence: Evidence) -> tuple[Finding, ...]:
    """All findings about one host, in the order of the profile."""
    seen = facts_of(evidence.tasks, evidence.observations)
    tasks_of: dict[str, list[Task]] = {}
    for task in evidence.tasks.values():
        tasks_of.setdefault(task.role, []).append(task)
    evaluator = Evaluator(
        profile=profile,
        rules={rule.id: rule for rule in rules},
        selection=selection,
        evidence=evidence,
        seen=seen,
        tasks_of=tasks_of,
        beats=beats_of(evidence.tasks, evidence.observations),
    )
    return evaluator.findings()


def facts_of(tasks: Mapping[str, Task], observations: Mapping[str, Observation]) -> dict[str, Seen]:
    """The facts among the observations, in plan order, each with its task."""
    seen: dict[str, Seen] = {}
    for task_id, task in tasks.items():
        observation = observations.get(task_id)
        if observation is None or observation.outcome.kind == "failure":
            continue
        seen[task_id] = Seen(
            task=task,
            fact=observation.outcome,
            started_s=observation.started.timestamp(),
            ended_s=observation.ended.timestamp(),
        )
    return seen


def _needs_controls(rule: Rule, judgement: Judgement) -> bool:
    """Whether silence that nobody vouches for could have brought this about."""
    if judgement.outcome == "not-applicable":
        return True
    return judgement.rests_on_absence or (judgement.outcome == "holds" and rule.relies_on_controls)


def _serves(task: Task | Skip, need: Need, subject: Subject) -> bool:
    if task.role != need.role:
        return False
    if need.at == "host":
        return True
    if task.address != subject.address:
        return False
    if need.at == "address":
        return True
    if need.at == "tcp-port":
        return task.transport == "tcp" and task.port == subject.port
    return task.transport == subject.transport and task.port == subject.port


def _failure_result(reason: str, task: Task) -> str:
    if reason == "no-route" and task.address is not None:
        return "no-ipv6-here" if ":" in task.address else "no-ipv4-here"
    return "interrupted" if reason == "cancelled" else reason


def _finding(
    entry: RuleEntry,
    subject: Subject,
    *,
    verdict: Verdict,
    result: str,
    severity: Severity | None = None,
    confidence: Confidence = "firm",
    params: Mapping[str, Any] | None = None,
    because: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        rule=entry.id,
        guide=entry.guide,
        address=subject.address,
        family=subject.family,
        transport=subject.transport,
        port=subject.port,
        verdict=verdict,
        severity=severity or entry.severity,
        confidence=confidence,
        result=result,
        params=dict(params or {}),
        because=because,
    )

"""Knowing less never makes anything look better: for any part of a run that is lost, no new pass appears.

Three sources: runs made of random facts with made-up rules, whole scans with the real rules, and records cut off
anywhere, as a kill leaves them.
"""

from __future__ import annotations

import functools
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flexiscan.api import judge, judge_record
from flexiscan.model.facts import TcpExchange
from flexiscan.model.failure import Failure
from flexiscan.model.finding import Finding
from flexiscan.model.observation import Observation
from flexiscan.model.result import ResultDocument
from flexiscan.policy.rule import Case, Judgement, Need, Rule
from flexiscan.store.record import Record, read_record
from tests.engine.made_up_host import V4, MadeUpHost, request_for, scan_host
from tests.engine.vulnerable_host import blocking, vulnerable_host
from tests.policy.made_up_run import ACCEPTED, PORT, RESET, SILENCE, SILENT_PORT, MadeUpRun, both_families, saying

Calm = set[tuple[str, str | None, str | None, str | None, int | None]]

LOST = (None, Failure(reason="no-resource"), Failure(reason="deadline"), Failure(reason="cancelled"))


def calm(findings: Any) -> Calm:
    """Where nothing is said to be wrong, in any way that leaves the exit code at 0."""
    found: list[Finding] = list(findings)
    return {
        (f.rule, f.address, f.family, f.transport, f.port)
        for f in found
        if f.verdict in ("pass", "not_applicable", "not_checked") or f.result == "no-exposure-seen"
    }


def judge_quietly(case: Case) -> Judgement:
    """A rule that is calm in every way that a rule can be, by what it sees."""
    facts = case.of("ask")
    kinds = {seen.fact.connect for seen in facts if isinstance(seen.fact, TcpExchange)}
    if "accepted" in kinds:
        return Judgement("cannot-tell", "unsure", facts)
    if kinds == {"reset"}:
        return Judgement("not-applicable", "nobody-there", facts)
    return Judgement("cannot-tell", "no-exposure-seen", facts, rests_on_absence=True)


QUIET = saying(
    judge_quietly,
    {"unsure": "cannot-tell", "nobody-there": "not-applicable", "no-exposure-seen": "cannot-tell"},
    Need("ask"),
)


def judge_with_help(case: Case) -> Judgement:
    """Holds unless an optional fact says otherwise: the kind of rule that a lost fact could fool."""
    if any(isinstance(seen.fact, TcpExchange) and seen.fact.connect == "accepted" for seen in case.of("more")):
        return Judgement("violated", "open", case.of("more"))
    return Judgement("holds", "silent", case.of("ask"))


HELPED = Rule(
    id="test.helped",
    results={"silent": "holds", "open": "violated"},
    needs=(Need("ask"), Need("more", at="address", optional=True)),
    subjects=SILENT_PORT.subjects,
    judge=judge_with_help,
)

FACTS = st.sampled_from([ACCEPTED, RESET, SILENCE, *LOST])
MOMENTS = st.integers(0, 12).map(float)


@st.composite
def muddled_runs(draw: st.DrawFn) -> MadeUpRun:
    """A dozen connects of all roles, at two addresses, in a few seconds, so that everything collides."""
    run = MadeUpRun(addresses=both_families(), interrupted=draw(st.booleans()))
    addresses = [address.address for address in run.addresses]
    for _ in range(draw(st.integers(1, 12))):
        role = draw(st.sampled_from(["control", "control", "ask", "more", "tcp", "tcp-canary"]))
        started_s = draw(MOMENTS)
        run.put(
            role,
            (started_s, started_s + draw(st.sampled_from([0.0, 1.0, 4.0]))),
            draw(FACTS),
            address=draw(st.sampled_from(addresses)),
            port=PORT if role == "ask" else draw(st.sampled_from([80, 443])),
            gate="tcp",
        )
    return run


@st.composite
def orderly_runs(draw: st.DrawFn) -> MadeUpRun:
    """Controls every four seconds and questions in between: a run that often passes, and now and then just not."""
    run = MadeUpRun()
    mostly_accepted = st.sampled_from([*[ACCEPTED] * 8, SILENCE, RESET])
    for number in range(draw(st.integers(4, 5))):
        run.control(4.0 * number, draw(mostly_accepted), lasts_s=0.5)
    for role, facts in (("ask", [SILENCE, SILENCE, SILENCE, RESET, ACCEPTED]), ("more", [SILENCE, ACCEPTED])):
        for fact in draw(st.lists(st.sampled_from(facts), min_size=role == "ask", max_size=2)):
            started_s = draw(MOMENTS) + 1
            run.put(role, (started_s, started_s + draw(st.sampled_from([1.0, 1.0, 6.0]))), fact)
    for fact in draw(st.lists(st.sampled_from([SILENCE, RESET]), max_size=2)):
        run.put("tcp-canary", (draw(MOMENTS), 13.0), fact, port=21000, gate="tcp")
    return run


@settings(max_examples=300, deadline=None)
@given(st.one_of(orderly_runs(), orderly_runs(), muddled_runs()), st.data())
def test_losing_facts_of_made_up_runs(run: MadeUpRun, data: st.DataObject) -> None:
    before = calm(run.findings(SILENT_PORT, QUIET, HELPED))
    for name in data.draw(st.sets(st.sampled_from(sorted(run.tasks)), min_size=1, max_size=3)):
        seen = run.observations.pop(name, None)
        lost = data.draw(st.sampled_from(LOST))
        if seen is not None and lost is not None:
            run.observations[name] = seen.model_copy(update={"outcome": lost})
    assert calm(run.findings(SILENT_PORT, QUIET, HELPED)) <= before


@functools.cache
def scanned(name: str) -> tuple[Record, bytes]:
    """The record of a scan, read and as bytes."""
    hosts = {
        "hardened": lambda: MadeUpHost(names={"A": (V4,)}),
        "vulnerable": lambda: vulnerable_host(),
        "blocked": lambda: vulnerable_host(blocking(6.0, 15.0, "silence")),
    }
    host = hosts[name]()
    host.names = {"A": (V4,)}
    with tempfile.TemporaryDirectory() as folder:
        scan_host(host, request_for(Path(folder) / "run"))
        return read_record(Path(folder) / "run"), (Path(folder) / "run" / "record.jsonl").read_bytes()


@functools.cache
def calm_in_full(name: str) -> Calm:
    return findings_of(judge_record(scanned(name)[0]))


def findings_of(document: ResultDocument) -> Calm:
    return calm(finding for target in document.targets for finding in target.findings)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["hardened", "vulnerable", "blocked"]), st.integers(0, 2**32))
def test_losing_facts_of_whole_scans(name: str, seed: int) -> None:
    chance = random.Random(seed)
    record, _ = scanned(name)
    before = calm_in_full(name)
    host = next(iter(record.hosts.values()))
    kept = dict(host.observations)
    try:
        for observation in _victims(chance, record):
            lost = chance.choice(LOST)
            if lost is None:
                del host.observations[observation.id]
            else:
                host.observations[observation.id] = observation.model_copy(update={"outcome": lost})
        assert findings_of(judge_record(record)) <= before
    finally:
        host.observations.clear()
        host.observations.update(kept)


def _victims(chance: random.Random, record: Record) -> list[Observation]:
    """Some of one role, a stretch of time, or any."""
    host = next(iter(record.hosts.values()))
    everything = list(host.observations.values())
    roles = sorted({host.tasks[seen.id].role for seen in everything})
    role = chance.choice(roles)
    start = chance.randrange(len(everything))
    pool = chance.choice(
        [
            [seen for seen in everything if host.tasks[seen.id].role == role],
            everything[start : start + 40],
            everything,
        ]
    )
    return chance.sample(pool, chance.randint(1, len(pool)))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["hardened", "vulnerable", "blocked"]), st.floats(0, 1))
def test_a_record_cut_off_anywhere(name: str, share: float) -> None:
    whole = scanned(name)[1]
    first_line = whole.index(b"\n") + 1
    cut = first_line + int(share * (len(whole) - first_line))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.jsonl"
        path.write_bytes(whole[:cut])
        document = judge(path)
    ended = _is_ended(whole[:cut])
    assert document.run.interrupted is not ended
    assert document.exit_code == 130 or ended
    assert findings_of(document) <= calm_in_full(name)


def _is_ended(text: bytes) -> bool:
    last = text.rstrip(b"\n").rsplit(b"\n", 1)[-1]
    try:
        return bool(json.loads(last)["event"] == "end")
    except ValueError:
        return False

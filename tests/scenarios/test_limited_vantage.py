"""Firewalls scanned from a system that does not tell who refused what: less is said, and nothing that is untrue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from flexiscan_lab.expectation import read_expectation
from flexiscan_lab.scenarios import ALL
from tests.scenarios.runs import SEED, ScenarioRun, namespaces_missing, run_scenario

FIREWALLS = (
    "edge_device_answers",
    "hardened",
    "no_firewall",
    "port_unreachable_firewall",
    "prohibiting_firewall",
    "silent_udp_port_among_unreachable_ones",
)
SCANS_AT_ONCE = 3
BLIND = {"FLEXISCAN_WITHOUT_ERROR_QUEUE": "1"}
ABSENT = frozenset({"silence", "refused", "icmp", "connect-silence", "connect-refused", "connect-icmp"})
"""How an exchange ends of which this system cannot tell what was the matter."""

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(900)]
every_firewall = pytest.mark.parametrize("name", FIREWALLS)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[ScenarioRun]]]:
    missing = namespaces_missing()
    if missing:
        pytest.skip(f"left out, the lab needs network namespaces: {missing}")
    folder = tmp_path_factory.mktemp("limited")
    with ThreadPoolExecutor(SCANS_AT_ONCE) as pool:
        runs = {}
        for name in FIREWALLS:
            place = folder / name
            place.mkdir()
            options = ("--seed", SEED, "--depth", "quick")
            runs[name] = pool.submit(run_scenario, ALL[name], place, options, BLIND)
        yield runs


@every_firewall
def test_the_document_says_that_sight_was_limited(name: str, limited: Mapping[str, Future[ScenarioRun]]) -> None:
    assert limited[name].result().document["vantage"]["sight"] == "limited"


@every_firewall
def test_nothing_contradicts_the_truth(name: str, limited: Mapping[str, Future[ScenarioRun]]) -> None:
    """Where full sight decides, limited sight decides the same or not at all."""
    findings = limited[name].result().findings
    wrong = []
    for key, value in ALL[name].expectations.items():
        expectation = read_expectation(key, value)
        verdicts = {verdict.partition("/")[0] for verdict in expectation.verdicts} | {"inconclusive"}
        wrong += [(key, value, f) for f in findings if expectation.means(f) and f["verdict"] not in verdicts]
    assert wrong == []


@every_firewall
def test_what_rests_on_silence_or_refusal_is_a_weak_sign(name: str, limited: Mapping[str, Future[ScenarioRun]]) -> None:
    run = limited[name].result()
    outcomes = {o["id"]: o["outcome"] for o in run.target["observations"]}
    passes = [
        f for f in run.findings if f["verdict"] == "pass" and any(ended_in_absence(outcomes[b]) for b in f["because"])
    ]
    assert passes or name == "no_firewall"
    assert {f["confidence"] for f in passes} <= {"tentative"}, [f for f in passes if f["confidence"] != "tentative"]


@every_firewall
def test_the_range_never_fails_by_a_refusal(name: str, limited: Mapping[str, Future[ScenarioRun]]) -> None:
    found = [f for f in limited[name].result().findings if f["rule"] == "ports.rtp-unreachable"]
    assert found
    assert {f["verdict"] for f in found} == {"inconclusive"}
    results = {f["result"] for f in found}
    assert results == ({"no-exposure-seen"} if name == "hardened" else {"limited-vantage"})


def ended_in_absence(outcome: Mapping[str, Any]) -> bool:
    """Whether an exchange brought nothing of which the sender is known."""
    match outcome["kind"]:
        case "tcp":
            return outcome["connect"] in ABSENT
        case "udp":
            return outcome["reply"] in ABSENT
        case "http" | "tls-hello" | "certificate":
            return outcome["outcome"] in ABSENT
    return False

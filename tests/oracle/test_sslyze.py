"""The second TLS engine with every suite tried must agree with the first, suite by suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.comparison import ADDRESSES, Comparisons, asked_for
from tests.oracle.sslyze_suites import Suites, ask_sslyze
from tests.oracle.tls_facts import agreed_suites

pytestmark = [pytest.mark.oracle, pytest.mark.netns, pytest.mark.timeout(900)]

Told = dict[str, dict[str, Suites]]

SCENARIOS = ("hardened", "as_delivered", "suites_without_encryption_offered", "only_tls11_offered")
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


@pytest.fixture(scope="module")
def comparisons(request: pytest.FixtureRequest) -> Iterator[Comparisons[Told]]:
    options = ("--only", "tls.*", "--tls-second-opinion", "full")
    yield from asked_for(request, options, lambda lab, _: ask_sslyze(lab, ADDRESSES))


@every_scenario
def test_worker_agrees_on_versions(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        (opinion,) = comparison.facts("tls-second-opinion", address)
        assert opinion["reached"], opinion["detail"]
        offered = agreed_suites(comparison.facts("tls-hello", address))
        assert {version for version, seen in opinion["versions"].items() if seen} == offered.keys()


@every_scenario
def test_no_verdict_says_that_the_engines_disagree(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        results = {finding["rule"]: finding["result"] for finding in comparison.findings("tls.", address)}
        assert results
        assert "engines-disagree" not in results.values(), results


@every_scenario
def test_same_suites(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        agreed = agreed_suites(comparison.facts("tls-hello", address))
        for version, suites in comparison.told[address].items():
            ours = agreed.get(version, set())
            assert suites.accepted - ours == set(), f"{version}: sslyze alone had these accepted"
            assert ours & suites.rejected == set(), f"{version}: sslyze had these rejected"

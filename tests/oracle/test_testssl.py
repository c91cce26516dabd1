"""testssl.sh must see the same protocols, the same suites and the same weak classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from flexiscan_lab.programs import find_program
from flexiscan_lab.scenario import TARGET_IPV4
from tests.oracle.comparison import Comparisons, asked_for, needed, needs_root
from tests.oracle.testssl import SuiteView, ask_testssl
from tests.oracle.tls_facts import agreed_suites

pytestmark = [pytest.mark.oracle, pytest.mark.netns, pytest.mark.timeout(900)]

SCENARIOS = ("hardened", "as_delivered", "sslv3_offered", "suites_without_encryption_offered")
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)

SIGNS: Mapping[str, frozenset[str]] = {
    "null": frozenset({"null"}),
    "anonymous": frozenset({"anonymous"}),
    "export": frozenset({"export"}),
    "low": frozenset({"rc2", "rc4", "des"}),
    "3des-idea": frozenset({"3des"}),
}
"""A class of testssl.sh and the signs of ours that stand for it."""


@pytest.fixture(scope="module")
def comparisons(request: pytest.FixtureRequest) -> Iterator[Comparisons[SuiteView]]:
    testssl = find_program("testssl.sh") or needed("testssl")
    openssl = needed("openssl")
    needs_root("keeping the script from looking names up (a mount namespace)")
    options = ("--only", "tls.*", "-4", "--tls-second-opinion", "none")
    yield from asked_for(request, options, lambda lab, _: ask_testssl(lab, testssl, openssl))


@every_scenario
def test_same_protocols(scenario: str, comparisons: Comparisons[SuiteView]):
    comparison = comparisons.get(scenario)
    assert agreed_suites(comparison.facts("tls-hello", TARGET_IPV4)).keys() == comparison.told.versions


@every_scenario
def test_same_suites(scenario: str, comparisons: Comparisons[SuiteView]):
    comparison = comparisons.get(scenario)
    ours = agreed_suites(comparison.facts("tls-hello", TARGET_IPV4))
    assert comparison.told.suites, "testssl.sh listed no suites"
    assert {version: ours.get(version, set()) for version in comparison.told.suites} == comparison.told.suites


@every_scenario
def test_same_weak_classes(scenario: str, comparisons: Comparisons[SuiteView]):
    comparison = comparisons.get(scenario)
    finding = comparison.finding("tls.ciphers-strong", TARGET_IPV4)
    why = set(finding["params"].get("why", {}))
    assert {name for name, signs in SIGNS.items() if signs & why} == comparison.told.classes, finding
    assert bool(comparison.told.classes) == (finding["verdict"] == "fail"), finding

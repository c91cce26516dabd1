"""OpenSSL's own client and verifier must agree with the rules about TLS versions and certificates."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flexiscan_lab.scenarios import crypto
from tests.oracle.comparison import ADDRESSES, Comparisons, asked_for, needed
from tests.oracle.openssl import OpensslView, ask_openssl
from tests.oracle.tls_facts import agreed_suites

pytestmark = [pytest.mark.oracle, pytest.mark.netns, pytest.mark.timeout(900)]

Told = dict[str, OpensslView]

SCENARIOS = ("hardened", "as_delivered", *(scenario.name for scenario in crypto.SCENARIOS))
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)

VERDICTS = {"offered": "fail", "refused": "pass", "silent": "inconclusive"}
"""What openssl saw of an old version, and the verdict of the rule that wants it refused."""

NOT_TLS = {"plain_http_on_443"}
"""An HTTP server waits for an empty line, and openssl for the server. We send an empty line after the silence, and
the answer to it is HTTP: so we know more, and say that the question does not apply."""

OLD_VERSIONS = {"TLSv1.0": "tls.tls10-refused", "TLSv1.1": "tls.tls11-refused"}


@pytest.fixture(scope="module")
def comparisons(request: pytest.FixtureRequest) -> Iterator[Comparisons[Told]]:
    openssl = needed("openssl")
    options = ("--only", "tls.*,cert.*", "--tls-second-opinion", "none")
    yield from asked_for(request, options, lambda lab, _: ask_openssl(lab, openssl, ADDRESSES))


@every_scenario
def test_same_versions_offered(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        asked = comparison.told[address].versions
        ours = agreed_suites(comparison.facts("tls-hello", address)).keys() & asked.keys()
        assert ours == {version for version, answer in asked.items() if answer == "offered"}, address


@every_scenario
def test_same_verdict_about_old_versions(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        told = comparison.told[address].versions
        for version, rule in OLD_VERSIONS.items():
            finding = comparison.finding(rule, address)
            if scenario in NOT_TLS:
                assert (told[version], finding["result"]) == ("silent", "plain-http")
                continue
            assert finding["verdict"] == VERDICTS[told[version]], (told, finding)


@every_scenario
def test_same_verdict_about_modern_versions(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        told = comparison.told[address].versions
        modern = "offered" in (told["TLSv1.2"], told["TLSv1.3"])
        assert (comparison.finding("tls.modern-offered", address)["verdict"] == "pass") == modern, told
        newest = told["TLSv1.3"] == "offered"
        assert (comparison.finding("tls.tls13-offered", address)["verdict"] == "pass") == newest, told


@every_scenario
def test_same_opinion_of_the_certificate(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        opinions = comparison.told[address].opinions
        ours = {
            rule: comparison.finding(rule, address)["verdict"]
            for rule in ("cert.trusted", "cert.in-validity", "cert.hostname-matches", "cert.key-strong")
        }
        if opinions is None:
            assert "pass" not in ours.values(), "openssl got no certificate at all"
            continue
        assert ours == {
            "cert.trusted": "pass" if opinions.trusted else "fail",
            "cert.in-validity": "pass" if opinions.in_validity else "fail",
            "cert.hostname-matches": "pass" if opinions.name_matches else "fail",
            "cert.key-strong": "pass" if opinions.key_strong else "fail",
        }, address

"""The same web at every address, or not."""

from __future__ import annotations

import pytest

from flexiscan.model.finding import Finding
from flexiscan.model.target import Target
from flexiscan.policy.rules.parity_web import RULE
from tests.policy.web_sites import (
    ADMIN_LOGIN,
    HTML,
    always,
    banning,
    either,
    good,
    noisy,
    to_https,
    with_admin,
)
from tests.policy.web_world import HOST, IPV4, IPV6, Reply, Site, World

OPEN = with_admin(Reply(200, ADMIN_LOGIN, (HTML,)))
POWERED = ("X-Powered-By", "ASP.NET")


def finding(on_ipv4: Site, on_ipv6: Site | None, *, clear6: Site | None = None) -> Finding:
    sites = {(IPV4, 443, "https"): on_ipv4, (IPV4, 80, "http"): to_https(), (IPV6, 80, "http"): clear6 or to_https()}
    if on_ipv6 is not None:
        sites[IPV6, 443, "https"] = on_ipv6
    (found,) = World(sites, Target(host=HOST)).scan().findings(RULE)
    return found


def test_the_same_everywhere_is_equal() -> None:
    found = finding(good, good)
    assert (found.verdict, found.result) == ("pass", "equal")
    assert found.params["compared"] > 15
    assert {IPV4, IPV6} <= {text.split("/")[2] for text in found.because}


def test_equally_bad_is_equal() -> None:
    assert finding(OPEN, OPEN).result == "equal"


@pytest.mark.parametrize(
    ("on_ipv4", "on_ipv6", "result"),
    [(good, OPEN, "admin-open-only-on-ipv6"), (OPEN, good, "admin-open-only-on-ipv4")],
)
def test_admin_open_over_one_family_is_critical(on_ipv4: Site, on_ipv6: Site, result: str) -> None:
    found = finding(on_ipv4, on_ipv6)
    assert (found.verdict, found.result, found.severity) == ("fail", result, "critical")
    assert found.params["shown"][0].startswith("web.admin-unreachable")


def test_what_the_guide_asks_for_and_one_family_lacks_is_high() -> None:
    found = finding(good, lambda asked: good(asked).adding(POWERED))
    assert (found.verdict, found.result, found.severity) == ("fail", "kept-differently", "high")


def test_content_in_clear_over_one_family_is_found() -> None:
    found = finding(good, good, clear6=good)
    assert (found.verdict, found.result, found.severity) == ("fail", "kept-differently", "high")
    assert any(text.startswith("web.https-only 80") for text in found.params["shown"])


def test_what_goes_beyond_the_guide_is_medium() -> None:
    strict = ("Strict-Transport-Security", "max-age=31536000")
    found = finding(lambda asked: good(asked).adding(strict), good)
    assert (found.verdict, found.result, found.severity) == ("fail", "kept-differently", "medium")


def test_a_page_that_is_missing_over_one_family_is_found() -> None:
    gone = either(lambda asked: asked.path == "/mobile/", always(Reply(404, "gone", (HTML,))), good)
    found = finding(good, gone)
    assert (found.verdict, found.result, found.severity) == ("fail", "answers-differ", "medium")


@pytest.mark.parametrize(
    "site",
    [
        banning(20, Reply(404, "", (HTML,))),
        banning(20, Reply(503, "", (HTML,))),
        always(Reply(outcome="timeout")),
        always(Reply(429, "", (HTML,))),
    ],
)
def test_trouble_at_one_address_is_no_difference_and_no_equality(site: Site) -> None:
    found = finding(good, site)
    assert (found.verdict, found.result) == ("inconclusive", "not-comparable")


def test_a_port_that_one_address_does_not_serve_is_the_port_rules_business() -> None:
    found = finding(good, None)
    assert (found.verdict, found.result) == ("inconclusive", "not-comparable")


@pytest.mark.parametrize("seed", range(12))
def test_noise_is_no_difference(seed: int) -> None:
    assert finding(noisy(good, seed), noisy(good, seed + 100)).verdict != "fail"


def test_one_address_alone_has_nothing_to_be_compared_with() -> None:
    (found,) = World({(IPV4, 443, "https"): good}, Target(host=HOST)).scan().findings(RULE)
    assert (found.verdict, found.result) == ("not_applicable", "single-address")

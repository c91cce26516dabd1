"""web.admin-unreachable: every result once, and every trap with exactly its verdict."""

from __future__ import annotations

import pytest

from flexiscan.model.target import Target
from flexiscan.policy.rules.web_admin import ADMIN_RESULTS, RULE
from tests.policy.web_sites import (
    ADMIN_LOGIN,
    HTML,
    LOGIN_TEXT,
    NAMED_LOGIN,
    NOT_FOUND_TEXT,
    PHP,
    always,
    banning,
    dynamic,
    echoing,
    either,
    good,
    is_admin,
    missing,
    noisy,
    to_https,
    with_admin,
    with_missing,
)
from tests.policy.web_world import HOST, IPV4, IPV6, Asked, Reply, Site, World, everywhere, values

WAF_TEXT = "<h1>Access denied</h1><p>This request was blocked by our security policy. Support ID: 4711-0815</p>"
LONG_HEAD = "<style>" + " ".join(f".rule{chr(97 + n % 26)} {{ top: 0 }}" for n in range(2000)) + "</style>"
BAN_NUMBERS = (1, 4, 8, 11, 20, 33)


def scanned(site: Site) -> World:
    return World(everywhere(site)).scan()


def page(text: str, *headers: tuple[str, str], status: int = 200) -> Reply:
    return Reply(status, text, (HTML, *headers))


def login_elsewhere(asked: Asked) -> Reply:
    return Reply(302, "", (HTML, ("Location", f"/login?ReturnUrl={asked.path}")))


def elsewhere(asked: Asked) -> Reply:
    return Reply(302, "", (HTML, ("Location", "https://portal.example.test/")))


PASSES: dict[str, tuple[Site, str]] = {
    "404 like a missing page": (good, "same-as-missing"),
    "404 of another layout": (with_admin(page("<h1>Not Found</h1>", status=404)), "not-found-differently"),
    "403": (with_admin(page("<h1>403 - Forbidden: Access is denied.</h1>", status=403)), "denied"),
    "aborted": (with_admin(Reply(outcome="reset")), "aborted"),
    "closed without an answer": (with_admin(Reply(outcome="closed")), "aborted"),
    "catch-all page, static": (with_missing(always(page("<h1>Welcome</h1> to us all"))), "same-as-missing"),
    "catch-all page, dynamic": (with_missing(dynamic), "same-as-missing"),
    "catch-all page, echoing": (with_missing(echoing), "same-as-missing"),
    "long pages of one size": (with_missing(always(page(LONG_HEAD + "Welcome"))), "same-as-missing"),
    "missing pages are forbidden": (with_missing(always(page("<h1>403</h1>", status=403))), "same-as-missing"),
    "missing pages go home": (with_missing(always(Reply(302, "", (("Location", "/Presentity/"),)))), "same-as-missing"),
    "slash added, then 404": (
        either(
            lambda asked: asked.path in ("/admin", "/abcde"),
            lambda asked: Reply(301, "", (("Location", asked.path + "/"),)),
            good,
        ),
        "same-as-missing",
    ),
}

FAILS: dict[str, tuple[Site, str]] = {
    "login page": (with_admin(page(ADMIN_LOGIN, PHP)), "open"),
    "login page that names itself": (with_admin(page(NAMED_LOGIN)), "open-confirmed"),
    "page without a form": (with_admin(page("<h1>Frames</h1><frameset></frameset>")), "open"),
    "basic authentication": (
        with_admin(page("<h1>401</h1>", ("WWW-Authenticate", 'Basic realm="x"'), status=401)),
        "asks-for-login",
    ),
    "redirect to a login": (
        with_admin(login_elsewhere(Asked("", 0, "", "/admin", browser=False, number=0))),
        "asks-for-login",
    ),
    "redirect to a page of its own": (
        with_admin(Reply(302, "", (HTML, ("Location", "/admin/start.php")))),
        "handler-reached",
    ),
    "PHP writes the 404": (with_admin(page(NOT_FOUND_TEXT, PHP, status=404)), "handler-reached"),
    "PHP writes the 403": (
        with_admin(page("<h1>403</h1>", ("X-Powered-By", "PHP/5.4"), status=403)),
        "handler-reached",
    ),
    "method refused": (with_admin(page("<h1>405</h1>", status=405)), "handler-reached"),
    "application error": (
        with_admin(page("<b>Fatal error</b>: Class not found in index.php on line <b>3</b>", status=500)),
        "application-error",
    ),
    "login page among catch-all pages": (with_missing(echoing, admin=always(page(ADMIN_LOGIN))), "open"),
    "login page among dynamic pages": (with_missing(dynamic, admin=always(page(ADMIN_LOGIN))), "open"),
    "only with a slash": (
        either(lambda a: a.path == "/admin/", always(page(ADMIN_LOGIN)), good),
        "open",
    ),
    "login page on a site without other pages": (
        either(is_admin, always(page(ADMIN_LOGIN)), missing),
        "open",
    ),
    "named login page while everything else is banned": (
        either(is_admin, always(page(NAMED_LOGIN)), banning(9, page("", status=403))),
        "open-confirmed",
    ),
    "a browser alone sees it by name": (
        either(lambda a: a.browser and is_admin(a), always(page(NAMED_LOGIN)), good),
        "open-confirmed",
    ),
}

CANNOT_TELL: dict[str, tuple[Site, str]] = {
    "login page for every path": (always(page(LOGIN_TEXT)), "site-login"),
    "named login page for every path": (always(page(NAMED_LOGIN)), "site-login"),
    "login page for every missing path": (with_missing(always(page(NAMED_LOGIN))), "site-login"),
    "login page that links to its own place for every path": (
        always(page(f'<link rel="stylesheet" href="/admin/Content/site.css"><a href="/admin/index.php">{NAMED_LOGIN}')),
        "site-login",
    ),
    "redirect to the login of /admin for every path": (
        lambda asked: Reply(302, "", (HTML, ("Location", f"/admin/login.php?from={asked.path}"))),
        "site-login",
    ),
    "login form beyond what is kept of a long page": (
        with_missing(always(page(LONG_HEAD + "Welcome")), admin=always(page(LONG_HEAD + "word " * 200 + ADMIN_LOGIN))),
        "unstable",
    ),
    "login page that differs a little": (
        with_missing(
            always(page(LOGIN_TEXT + " ".join(f"word{c}" for c in "abcdefghijklmnopq"))),
            admin=always(page(LOGIN_TEXT + " ".join(f"word{c}" for c in "abcdefghijklmnoxy"))),
        ),
        "unstable",
    ),
    "401 for every path": (always(page("", ("WWW-Authenticate", "Negotiate"), status=401)), "site-login"),
    "redirect to a login for every path": (login_elsewhere, "site-login"),
    "redirect to another host for every path": (elsewhere, "site-login"),
    "same page for every path": (always(page("<h1>Welcome</h1> to us all")), "no-canary"),
    "404 for every path": (missing, "no-canary"),
    "403 for every path": (always(page("<h1>403</h1>", status=403)), "no-canary"),
    "block page on /admin, 200": (with_admin(page(WAF_TEXT)), "blocked-page"),
    "block page on /admin, 403": (with_admin(page(WAF_TEXT, status=403)), "blocked-page"),
    "block page on /admin, 404": (with_admin(page(WAF_TEXT, status=404)), "blocked-page"),
    "406 on /admin": (with_admin(page("<h1>406</h1>", status=406)), "unclear-answer"),
    "block page everywhere": (always(page(WAF_TEXT, status=403)), "blocked-page"),
    "challenge of a content network": (
        always(page("<h1>Just a moment</h1>", ("CF-Mitigated", "challenge"), status=403)),
        "blocked-page",
    ),
    "429 at the end": (banning(30, page("slow down", status=429)), "rate-limited"),
    "429 at once": (always(page("slow down", status=429)), "rate-limited"),
    "timeout on /admin": (with_admin(Reply(outcome="timeout")), "no-answer"),
    "timeout everywhere": (always(Reply(outcome="timeout")), "no-answer"),
    "reset everywhere": (always(Reply(outcome="reset")), "no-answer"),
    "no TLS agreed": (always(Reply(outcome="tls-alert", detail="HANDSHAKE_FAILURE")), "tls-failed"),
    "502 on /admin": (with_admin(page("<h1>502</h1>", status=502)), "proxy-error"),
    "503 everywhere": (always(page("<h1>503</h1>", status=503)), "no-answer"),
    "redirect of /admin to the root": (with_admin(Reply(302, "", (("Location", "/"),))), "unclear-answer"),
    "404 and the page in turn": (
        either(lambda a: is_admin(a) and a.number > 15, always(page(ADMIN_LOGIN)), good),
        "unstable",
    ),
    "missing pages change": (
        with_missing(
            lambda a: page(
                f"<h1>{'x' * a.number}</h1> " + " ".join(f"{chr(97 + a.number % 26)}{c}" for c in "abcdefgh")
            )
        ),
        "unstable-baseline",
    ),
    "a browser sees another site": (either(lambda a: a.browser, echoing, good), "user-agent-discrimination"),
    "our name gets 403": (either(lambda a: a.browser, good, always(page("", status=403))), "user-agent-discrimination"),
    "a browser alone sees it": (
        either(lambda a: a.browser and is_admin(a), always(page(ADMIN_LOGIN)), good),
        "user-agent-discrimination",
    ),
}


@pytest.mark.parametrize(("site", "result"), PASSES.values(), ids=PASSES)
def test_passes(site: Site, result: str):
    assert scanned(site).result(RULE, 443) == ("pass", result)


@pytest.mark.parametrize(("site", "result"), FAILS.values(), ids=FAILS)
def test_fails(site: Site, result: str):
    world = scanned(site)
    assert world.result(RULE, 443) == ("fail", result)
    finding = next(f for f in world.findings(RULE) if f.port == 443)
    assert finding.because
    assert finding.severity == "critical"
    assert finding.params["path"].startswith("/admin")


@pytest.mark.parametrize(("site", "result"), CANNOT_TELL.values(), ids=CANNOT_TELL)
def test_cannot_tell(site: Site, result: str):
    assert scanned(site).result(RULE, 443) == ("inconclusive", result)


@pytest.mark.parametrize("after", BAN_NUMBERS)
@pytest.mark.parametrize(
    "answer",
    [
        page(NOT_FOUND_TEXT, status=404),
        page("<h1>Forbidden</h1>", status=403),
        page("<h1>Welcome</h1>"),
        page(WAF_TEXT),
        page(LOGIN_TEXT),
        page("", status=429),
        page("", status=503),
        Reply(302, "", (("Location", "https://blocked.example.test/"),)),
        Reply(outcome="reset"),
        Reply(outcome="closed"),
        Reply(outcome="timeout"),
        Reply(outcome="connect-silence"),
        Reply(outcome="tls-failed", detail="reset"),
    ],
    ids=lambda reply: f"{reply.outcome}-{reply.status}-{len(reply.body)}",
)
@pytest.mark.parametrize("site", [good, with_missing(echoing)], ids=["good", "catch-all"])
def test_a_ban_is_never_a_verdict(site: Site, answer: Reply, after: int):
    verdict, result = World({(IPV4, 443, "https"): banning(after, answer, site)}).scan().result(RULE, 443)
    assert verdict == "inconclusive", result


@pytest.mark.scenario
def test_zero_fail_on_the_good_site_over_a_thousand_noisy_runs():
    results: dict[tuple[str, str], int] = {}
    for seed in range(1000):
        world = World({(IPV4, 443, "https"): noisy(good, seed)}).scan()
        outcome = world.result(RULE, 443)
        results[outcome] = results.get(outcome, 0) + 1
    assert not [outcome for outcome in results if outcome[0] == "fail"]
    assert results["pass", "same-as-missing"] > 900


@pytest.mark.parametrize("site", [with_missing(dynamic), with_missing(echoing)], ids=["dynamic", "echoing"])
def test_zero_fail_on_catch_all_sites_over_noisy_runs(site: Site):
    for seed in range(100):
        world = World({(IPV4, 443, "https"): noisy(site, seed)}).scan()
        assert world.result(RULE, 443)[0] != "fail"


def test_an_open_site_fails_in_spite_of_noise():
    failed = sum(
        World({(IPV4, 443, "https"): noisy(with_admin(page(ADMIN_LOGIN)), seed)}).scan().result(RULE, 443)[0] == "fail"
        for seed in range(100)
    )
    assert failed > 90


def test_each_family_is_judged_by_itself():
    world = World({(IPV4, 443, "https"): good, (IPV6, 443, "https"): with_admin(page(ADMIN_LOGIN))}).scan()
    assert values(f for f in world.findings(RULE) if f.port == 443) == {
        (IPV4, 443, "pass", "same-as-missing"),
        (IPV6, 443, "fail", "open"),
    }


def test_open_on_the_backend_port_alone():
    world = World({(IPV4, 443, "https"): good, (IPV4, 4443, "https"): with_admin(page(ADMIN_LOGIN))}).scan()
    assert values(world.findings(RULE)) == {
        (IPV4, 80, "pass", "not-served"),
        (IPV4, 443, "pass", "same-as-missing"),
        (IPV4, 8080, "pass", "not-served"),
        (IPV4, 4443, "fail", "open"),
        (None, None, "not_applicable", "no-address"),
    }


@pytest.mark.parametrize(
    ("tls_site", "verdict", "result"),
    [
        (good, "pass", "redirects-to-https"),
        (with_admin(page(ADMIN_LOGIN)), "fail", "open-behind-redirect"),
        (missing, "inconclusive", "https-not-judged"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_port_80_follows_its_destination(tls_site: Site, verdict: str, result: str, status: int):
    sites = everywhere(to_https(status), 80, "http") | everywhere(tls_site)
    assert World(sites).scan().result(RULE, 80) == (verdict, result)


def test_a_ban_behind_the_redirector_is_no_verdict():
    site = banning(12, page("", status=403), to_https())
    sites = everywhere(site, 80, "http") | everywhere(good)
    assert World(sites).scan().result(RULE, 80) == ("inconclusive", "canary-lost")


def test_https_on_the_plain_port_is_found():
    sites = {(IPV4, 443, "https"): good, (IPV4, 8080, "https"): with_admin(page(ADMIN_LOGIN))}
    assert World(sites).scan().result(RULE, 8080) == ("fail", "open")


@pytest.mark.parametrize(
    ("site", "verdict", "result"),
    [
        (good, "pass", "same-as-missing"),
        (with_admin(page(ADMIN_LOGIN)), "fail", "open"),
        (banning(45, page("", status=403)), "inconclusive", "canary-lost"),
        (always(Reply(outcome="tls-alert", detail="no_application_protocol")), "pass", "same-as-missing"),
    ],
)
def test_http_2_is_a_door_of_its_own(site: Site, verdict: str, result: str):
    world = World({(IPV4, 443, "https"): good, (IPV4, 443, "h2"): site}).scan()
    assert world.result(RULE, 443) == (verdict, result)


GARBAGE = Reply(outcome="not-http", detail="garbage")
SILENCE = Reply(outcome="timeout")
NO_TLS = Reply(outcome="tls-failed", detail="not-tls")
TLS_SILENCE = Reply(outcome="tls-failed", detail="timeout")


@pytest.mark.parametrize(
    ("clear", "encrypted", "web", "verdict", "result", "confidence"),
    [
        (GARBAGE, NO_TLS, good, "pass", "not-http", "firm"),
        (SILENCE, TLS_SILENCE, good, "pass", "not-http", "tentative"),
        (Reply(outcome="closed"), Reply(outcome="tls-failed", detail="reset"), good, "pass", "not-http", "tentative"),
        (SILENCE, NO_TLS, banning(20, page("", status=403)), "inconclusive", "no-answer", "firm"),
        (SILENCE, TLS_SILENCE, always(SILENCE), "inconclusive", "no-answer", "firm"),
        (SILENCE, Reply(outcome="tls-alert", detail="x"), good, "inconclusive", "no-answer", "firm"),
        (Reply(outcome="not-http", detail="tls-record"), NO_TLS, good, "inconclusive", "tls-failed", "firm"),
        (Reply(outcome="http09", detail="http09"), NO_TLS, good, "inconclusive", "unclear-answer", "firm"),
        (page(ADMIN_LOGIN), NO_TLS, good, "inconclusive", "site-login", "firm"),
        (SILENCE, page(ADMIN_LOGIN), good, "inconclusive", "site-login", "firm"),
    ],
)
def test_a_declared_port_that_is_no_web_server(
    clear: Reply, encrypted: Reply, web: Site, verdict: str, result: str, confidence: str
):
    target = Target(host=HOST, ports=("telephony-manager",))
    sites = {(IPV4, 443, "https"): web, (IPV4, 9692, "http"): always(clear), (IPV4, 9692, "https"): always(encrypted)}
    world = World(sites, target).scan()
    assert world.result(RULE, 9692) == (verdict, result)
    assert {f.confidence for f in world.findings(RULE) if f.port == 9692} == {confidence}


def test_a_port_that_refuses_every_request_is_not_judged():
    sites = {(IPV4, 443, "https"): good, (IPV4, 8080, "http"): always(page("<h2>Bad Request</h2>", status=400))}
    assert World(sites).scan().result(RULE, 8080) == ("inconclusive", "no-canary")


def test_a_lane_that_was_not_finished_is_no_pass():
    world = scanned(good)
    world.seen = {key: value for key, value in world.seen.items() if "/admin-2-" not in key}
    assert world.result(RULE, 443) == ("inconclusive", "not-looked-at")


def test_every_result_has_a_case():
    told = {result for _, result in (*PASSES.values(), *FAILS.values(), *CANNOT_TELL.values())}
    told |= {"not-served", "not-http", "redirects-to-https", "open-behind-redirect", "https-not-judged"}
    told |= {"canary-lost", "incomplete"}
    assert told == set(ADMIN_RESULTS)

"""web.https-only and web.redirect-sound: every result once, the traps, and each family by itself."""

from __future__ import annotations

import pytest

from flexiscan.model.target import Target
from flexiscan.policy.rules.web_https import HTTPS_ONLY, HTTPS_ONLY_RESULTS, REDIRECT_RESULTS, REDIRECT_SOUND
from tests.policy.web_sites import (
    ADMIN_LOGIN,
    HTML,
    LOGIN_TEXT,
    NOT_FOUND_TEXT,
    PHP,
    always,
    banning,
    either,
    good,
    missing,
    noisy,
    to_https,
    with_admin,
)
from tests.policy.web_world import HOST, IPV4, IPV6, Asked, Reply, Site, World, everywhere, values

WAF_TEXT = "<h1>Access denied</h1><p>This request was blocked by our security policy. Support ID: 4711-0815</p>"


def page(text: str, *headers: tuple[str, str], status: int = 200) -> Reply:
    return Reply(status, text, (HTML, *headers))


def scanned(clear: Site, encrypted: Site = good) -> World:
    return World(everywhere(clear, 80, "http") | everywhere(encrypted)).scan()


def leading(location: str, status: int = 301) -> Site:
    """A redirector; {target} is path and query as asked for."""
    return lambda asked: Reply(status, "", (("Location", location.format(target=asked.target)),))


def root(asked: Asked) -> bool:
    return asked.path == "/"


def clear_good(asked: Asked) -> Reply:
    """The site over plain HTTP, as the guide's sample proxy publishes it."""
    reply = good(asked)
    headers = tuple((n, v.replace("https:", "http:") if n == "Location" else v) for n, v in reply.headers)
    return Reply(reply.status, reply.body, headers)


HTTPS_ONLY_CASES: dict[str, tuple[Site, str, str]] = {
    "everything redirected": (to_https(), "pass", "redirects-to-https"),
    "redirected for a while": (to_https(302), "pass", "redirects-to-https"),
    "only pages redirected, the rest 404": (either(root, to_https(), missing), "pass", "redirects-to-https"),
    "redirect to another host": (leading("https://www.example.test{target}"), "pass", "redirects-to-https"),
    "SSL required": (always(page("<h1>403.4</h1>", status=403)), "pass", "refused"),
    "404 for everything": (missing, "pass", "refused"),
    "closed without an answer": (always(Reply(outcome="closed")), "inconclusive", "incomplete"),
    "the site in clear": (clear_good, "fail", "login-in-clear"),
    "pages in clear": (either(root, always(page("Welcome")), to_https()), "fail", "content-in-clear"),
    "refreshed by markup": (
        always(page('<meta http-equiv="refresh" content="0;url=https://x/">', status=404)),
        "fail",
        "content-in-clear",
    ),
    "basic authentication in clear": (
        always(page("", ("WWW-Authenticate", "Basic"), status=401)),
        "fail",
        "login-in-clear",
    ),
    "errors in clear": (
        either(root, to_https(), always(page("<h1>Runtime</h1>", status=500))),
        "fail",
        "error-in-clear",
    ),
    "a cookie in clear": (
        lambda asked: to_https()(asked).adding(PHP),
        "fail",
        "cookie-in-clear",
    ),
    "redirects to plain HTTP": (leading("http://" + HOST + "/Presentity{target}"), "fail", "redirects-in-clear"),
    "relative redirects": (leading("/Presentity{target}"), "fail", "redirects-in-clear"),
    "/admin alone in clear": (with_admin(page(ADMIN_LOGIN), to_https()), "fail", "login-in-clear"),
    "a browser alone gets content": (
        either(lambda asked: asked.browser, always(page(LOGIN_TEXT)), to_https()),
        "fail",
        "login-in-clear",
    ),
    "silence": (always(Reply(outcome="timeout")), "inconclusive", "no-answer"),
    "503 everywhere": (always(page("", status=503)), "inconclusive", "no-answer"),
    "429 at the end": (banning(18, page("", status=429), to_https()), "inconclusive", "rate-limited"),
    "block page": (always(page(WAF_TEXT, status=403)), "inconclusive", "blocked-page"),
    "block page with 200": (always(page(WAF_TEXT)), "inconclusive", "blocked-page"),
    "400 for everything": (always(page("", status=400)), "inconclusive", "incomplete"),
    "silent from the middle on": (banning(14, Reply(outcome="timeout"), to_https()), "inconclusive", "incomplete"),
}


@pytest.mark.parametrize(("site", "verdict", "result"), HTTPS_ONLY_CASES.values(), ids=HTTPS_ONLY_CASES)
def test_https_only(site: Site, verdict: str, result: str):
    assert scanned(site).result(HTTPS_ONLY, 80) == (verdict, result)


@pytest.mark.parametrize("after", [1, 5, 9, 13, 17, 20])
@pytest.mark.parametrize(
    "answer",
    [
        page(NOT_FOUND_TEXT, status=404),
        page("Go away"),
        page("", status=403),
        page(LOGIN_TEXT),
        Reply(outcome="reset"),
        Reply(302, "", (("Location", "http://blocked.example.test/"),)),
    ],
    ids=lambda reply: f"{reply.outcome}-{reply.status}",
)
def test_a_ban_behind_the_redirector_is_no_verdict(answer: Reply, after: int):
    world = scanned(banning(after, answer, to_https()))
    assert world.result(HTTPS_ONLY, 80)[0] == "inconclusive"
    assert world.result(REDIRECT_SOUND, 80)[0] == "inconclusive"


def test_content_before_a_ban_is_content():
    world = scanned(banning(9, page("", status=403), clear_good))
    assert world.result(HTTPS_ONLY, 80)[0] == "fail"


def test_refusals_alone_prove_nothing_when_the_address_answers_nowhere():
    world = scanned(always(page("", status=403)), always(page("", status=403)))
    assert world.result(HTTPS_ONLY, 80) == ("inconclusive", "no-canary")


def test_a_closed_port_serves_nothing():
    world = World(everywhere(good)).scan()
    assert world.result(HTTPS_ONLY, 80) == ("pass", "not-served")
    assert world.result(REDIRECT_SOUND, 80) == ("pass", "not-served")


def test_each_family_is_judged_by_itself():
    sites = everywhere(good) | {(IPV4, 80, "http"): to_https(), (IPV6, 80, "http"): clear_good}
    assert values(World(sites).scan().findings(HTTPS_ONLY)) == {
        (IPV4, 80, "pass", "redirects-to-https"),
        (IPV6, 80, "fail", "login-in-clear"),
    }


REDIRECT_CASES: dict[str, tuple[Site, str, str]] = {
    "301": (to_https(301), "pass", "sound"),
    "308": (to_https(308), "pass", "sound"),
    "302": (to_https(302), "pass", "sound-temporary"),
    "307": (to_https(307), "pass", "sound-temporary"),
    "303": (to_https(303), "fail", "status-unsound"),
    "default port spelt out": (leading("https://" + HOST + ":443{target}"), "pass", "sound"),
    "name in capitals": (leading("HTTPS://" + HOST.upper() + "{target}"), "pass", "sound"),
    "slash added": (
        lambda asked: Reply(
            301, "", (("Location", f"https://{HOST}{asked.target}" + ("/" if asked.path == "/Presentity" else "")),)
        ),
        "pass",
        "sound",
    ),
    "another host": (leading("https://www.example.test{target}"), "fail", "host-changed"),
    "the address": (leading("https://" + IPV4 + "{target}"), "fail", "host-changed"),
    "another port": (leading("https://" + HOST + ":4443{target}"), "fail", "port-changed"),
    "always to the start page": (leading("https://" + HOST + "/"), "fail", "path-lost"),
    "path decoded": (
        lambda asked: Reply(301, "", (("Location", f"https://{HOST}{asked.target.replace('%20', '+')}"),)),
        "fail",
        "path-lost",
    ),
    "query lost": (
        lambda asked: Reply(301, "", (("Location", f"https://{HOST}{asked.path}"),)),
        "fail",
        "query-lost",
    ),
    "query decoded": (
        lambda asked: Reply(301, "", (("Location", f"https://{HOST}{asked.target.replace('%2F', '/')}"),)),
        "fail",
        "query-lost",
    ),
    "plain HTTP again": (leading("http://" + HOST + "/x{target}"), "fail", "stays-in-clear"),
    "no redirect": (clear_good, "fail", "stays-in-clear"),
    "content without any redirect": (always(page("Welcome")), "not_applicable", "no-redirect"),
    "refused": (missing, "not_applicable", "no-redirect"),
    "the start page alone": (either(root, to_https(), always(page("Welcome"))), "fail", "not-every-path"),
    "silence": (always(Reply(outcome="timeout")), "inconclusive", "no-answer"),
    "429": (banning(18, page("", status=429), to_https()), "inconclusive", "rate-limited"),
    "block page": (always(page(WAF_TEXT, status=403)), "inconclusive", "blocked-page"),
    "400": (always(page("", status=400)), "inconclusive", "incomplete"),
}


@pytest.mark.parametrize(("site", "verdict", "result"), REDIRECT_CASES.values(), ids=REDIRECT_CASES)
def test_redirect_sound(site: Site, verdict: str, result: str):
    assert scanned(site).result(REDIRECT_SOUND, 80) == (verdict, result)


def test_a_redirect_to_nobody_is_not_judged():
    world = World(everywhere(to_https(), 80, "http")).scan()
    assert world.result(REDIRECT_SOUND, 80) == ("inconclusive", "target-not-judged")


def test_declared_ports_take_the_place_of_the_standard_ones():
    target = Target(host=HOST, http_port=8000, https_port=8443)
    clear = leading("https://" + HOST + ":8443{target}")
    world = World(everywhere(clear, 8000, "http") | everywhere(good, 8443), target).scan()
    assert world.result(REDIRECT_SOUND, 8000) == ("pass", "sound")
    assert world.result(HTTPS_ONLY, 8000) == ("pass", "redirects-to-https")


def test_zero_fail_on_the_good_redirector_over_noisy_runs():
    results: dict[tuple[str, str], int] = {}
    for seed in range(300):
        world = World({(IPV4, 80, "http"): noisy(to_https(), seed), (IPV4, 443, "https"): good}).scan()
        for rule in (HTTPS_ONLY, REDIRECT_SOUND):
            outcome = world.result(rule, 80)
            results[outcome] = results.get(outcome, 0) + 1
    assert not [outcome for outcome in results if outcome[0] == "fail"]
    assert results["pass", "redirects-to-https"] > 270
    assert results["pass", "sound"] > 270


def test_every_result_has_a_case():
    https_only = {result for _, _, result in HTTPS_ONLY_CASES.values()} | {"not-served", "canary-lost", "no-canary"}
    redirect = {result for _, _, result in REDIRECT_CASES.values()} | {"not-served", "target-not-judged", "canary-lost"}
    assert https_only == set(HTTPS_ONLY_RESULTS)
    assert redirect == set(REDIRECT_RESULTS)

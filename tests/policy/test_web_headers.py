"""web.x-powered-by-absent and web.version-headers-absent: every result once, and the traps."""

from __future__ import annotations

import pytest

from flexiscan.model.target import App, Target
from flexiscan.policy.rules.web_headers import POWERED_BY, POWERED_BY_RESULTS, VERSION_RESULTS, VERSIONS
from flexiscan.policy.web.telling import load_telling_headers
from tests.policy.web_sites import (
    HTML,
    LOGIN_TEXT,
    always,
    banning,
    echoing,
    either,
    good,
    noisy,
    to_https,
    with_missing,
)
from tests.policy.web_world import HOST, IPV4, IPV6, Asked, Reply, Site, World, everywhere, exchange_of, values

POWERED_PHP = ("X-Powered-By", "PHP/7.4.33")
POWERED_ASPNET = ("X-Powered-By", "ASP.NET")
WAF_TEXT = "<h1>Access denied</h1><p>This request was blocked by our security policy. Support ID: 4711-0815</p>"


def page(text: str, *headers: tuple[str, str], status: int = 200) -> Reply:
    return Reply(status, text, (HTML, *headers))


def scanned(site: Site, apps: tuple[App, ...] | None = None) -> World:
    return World(everywhere(site), Target(host=HOST, apps=apps)).scan()


def showing(where: str, *headers: tuple[str, str]) -> Site:
    """The good site with headers added to the answers for paths that begin so."""
    return lambda asked: good(asked).adding(*headers) if asked.path.startswith(where) else good(asked)


def without_php_signs(asked: Asked) -> Reply:
    """PHP behind /mobile/ leaves no cookie: only the page itself shows that somebody was at work."""
    reply = good(asked)
    return Reply(reply.status, reply.body, tuple(h for h in reply.headers if h[0] != "Set-Cookie"))


def with_plain_files(asked: Asked) -> Reply:
    """Instead of the PHP applications a proxy serves files from disk."""
    if asked.path in ("/mobile/", "/tidweb/"):
        validators = (("ETag", '"1"'), ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"))
        return page("<h1>Maintenance</h1>", *validators)
    return good(asked)


def without(*gone: str) -> Site:
    return either(
        lambda asked: asked.path.startswith(gone), lambda asked: good(Asked("", 0, "", "/gone", False, 0)), good
    )


POWERED_BY_CASES: dict[str, tuple[Site, str, str]] = {
    "good": (good, "pass", "absent"),
    "PHP without a cookie": (without_php_signs, "pass", "absent"),
    "missing pages that answer 200": (with_missing(echoing), "pass", "absent"),
    "PHP on its own pages": (showing("/mobile/", POWERED_PHP), "fail", "php-shown"),
    "PHP on errors alone": (
        either(lambda a: a.path.endswith(".php"), lambda a: good(a).adding(POWERED_PHP), good),
        "fail",
        "php-shown",
    ),
    "ASP.NET everywhere": (showing("/", POWERED_ASPNET), "fail", "aspnet-shown"),
    "PHP hidden, ASP.NET shown": (showing("/Presentity/", POWERED_ASPNET), "fail", "aspnet-shown"),
    "two lines": (showing("/mobile/", POWERED_ASPNET, POWERED_PHP), "fail", "php-shown"),
    "on the malformed request alone": (showing("/%", POWERED_ASPNET), "fail", "aspnet-shown"),
    "on a redirect alone": (
        either(lambda a: a.path == "/Presentity", lambda a: good(a).adding(POWERED_ASPNET), good),
        "fail",
        "aspnet-shown",
    ),
    "something else": (showing("/mobile/", ("x-powered-BY", "Kemp")), "fail", "other-shown"),
    "empty value": (showing("/mobile/", ("X-Powered-By", "")), "fail", "other-shown"),
    "no PHP page": (without("/mobile", "/tidweb"), "inconclusive", "no-php-seen"),
    "files instead of PHP": (with_plain_files, "inconclusive", "no-php-seen"),
    "no ASP.NET page": (without("/Presentity", "/api"), "inconclusive", "no-aspnet-seen"),
    "nothing but the root": (
        either(lambda a: a.path == "/", always(page("", status=403)), without("/")),
        "inconclusive",
        "no-page-seen",
    ),
    "login for every path": (always(page(LOGIN_TEXT)), "inconclusive", "no-canary"),
    "banned": (banning(9, page("", status=403)), "inconclusive", "canary-lost"),
    "asked to slow down": (banning(9, page("", status=429)), "inconclusive", "rate-limited"),
    "block page": (always(page(WAF_TEXT, status=403)), "inconclusive", "blocked-page"),
    "a browser sees another site": (
        either(lambda a: a.browser, echoing, good),
        "inconclusive",
        "user-agent-discrimination",
    ),
    "silent": (always(Reply(outcome="timeout")), "inconclusive", "no-answer"),
}


@pytest.mark.parametrize(("site", "verdict", "result"), POWERED_BY_CASES.values(), ids=POWERED_BY_CASES)
def test_powered_by(site: Site, verdict: str, result: str):
    assert scanned(site).result(POWERED_BY, 443) == (verdict, result)


def test_all_values_of_all_lines_are_named():
    world = scanned(showing("/mobile/", POWERED_ASPNET, POWERED_PHP))
    finding = next(f for f in world.findings(POWERED_BY) if f.port == 443)
    assert finding.params["headers"] == ["X-Powered-By: ASP.NET", "X-Powered-By: PHP/7.4.33"]
    assert finding.confidence == "confirmed"


@pytest.mark.parametrize(
    ("apps", "gone", "verdict", "result"),
    [
        (("presentity", "api"), ("/mobile", "/tidweb"), "pass", "absent"),
        (("mobile",), ("/Presentity", "/api", "/tidweb"), "pass", "absent"),
        (("presentity", "mobile"), ("/mobile", "/tidweb"), "inconclusive", "no-php-seen"),
    ],
)
def test_only_declared_applications_must_have_been_seen(
    apps: tuple[App, ...], gone: tuple[str, ...], verdict: str, result: str
):
    assert scanned(without(*gone), apps).result(POWERED_BY, 443) == (verdict, result)


def test_a_port_that_only_redirects_passes_without_pages():
    world = World(everywhere(to_https(), 80, "http") | everywhere(good)).scan()
    assert values(world.findings(POWERED_BY, VERSIONS)) == {
        (IPV4, 80, "pass", "absent-on-redirects"),
        (IPV6, 80, "pass", "absent-on-redirects"),
        (IPV4, 443, "pass", "absent"),
        (IPV6, 443, "pass", "absent"),
    }


def test_a_redirect_that_shows_its_maker_fails():
    site: Site = lambda asked: to_https()(asked).adding(POWERED_ASPNET, ("Server", "Microsoft-IIS/10.0"))  # noqa: E731
    world = World(everywhere(site, 80, "http") | everywhere(good)).scan()
    assert world.result(POWERED_BY, 80) == ("fail", "aspnet-shown")
    assert world.result(VERSIONS, 80) == ("fail", "version-shown")


def test_a_closed_port_serves_nothing():
    sites = {(IPV4, 443, "https"): good, (IPV6, 80, "http"): to_https()}
    assert World(sites).scan().result(POWERED_BY, 443, IPV6) == ("pass", "not-served")
    assert World(sites).scan().result(VERSIONS, 443, IPV6) == ("pass", "not-served")


VERSION_CASES: dict[str, tuple[Site, str, str]] = {
    "good": (good, "pass", "absent"),
    "names without versions": (showing("/", ("Server", "nginx"), ("Via", "1.1 proxy")), "pass", "absent"),
    "server with a version": (showing("/", ("Server", "Microsoft-IIS/8.5")), "fail", "version-shown"),
    "HTTP.sys on the malformed request": (showing("/%", ("Server", "Microsoft-HTTPAPI/2.0")), "fail", "version-shown"),
    "ASP.NET version": (showing("/Presentity/", ("X-AspNet-Version", "2.0.50727")), "fail", "version-shown"),
    "via a named product": (showing("/mobile/", ("Via", "1.1 cache (squid/4.10)")), "fail", "version-shown"),
    "X-Powered-By is another rule's": (showing("/", POWERED_ASPNET), "pass", "absent"),
    "no page": (
        either(lambda a: a.path == "/", always(page("", status=403)), without("/")),
        "inconclusive",
        "no-page-seen",
    ),
    "login for every path": (always(page(LOGIN_TEXT)), "inconclusive", "no-canary"),
    "banned": (banning(9, page("", status=403)), "inconclusive", "canary-lost"),
    "asked to slow down": (banning(9, page("", status=429)), "inconclusive", "rate-limited"),
    "block page": (always(page(WAF_TEXT, status=403)), "inconclusive", "blocked-page"),
    "a browser sees another site": (
        either(lambda a: a.browser, echoing, good),
        "inconclusive",
        "user-agent-discrimination",
    ),
    "silent": (always(Reply(outcome="timeout")), "inconclusive", "no-answer"),
}


@pytest.mark.parametrize(("site", "verdict", "result"), VERSION_CASES.values(), ids=VERSION_CASES)
def test_versions(site: Site, verdict: str, result: str):
    assert scanned(site).result(VERSIONS, 443) == (verdict, result)


@pytest.mark.parametrize(
    ("header", "tells"),
    [
        (("Server", "Apache"), False),
        (("Server", "Apache/2.4"), True),
        (("Server", "nginx/1"), True),
        (("Server", "Kemp LoadMaster 7.2.59"), True),
        (("Server", "gateway 8080"), False),
        (("Server", "PHP-CGI/v8"), True),
        (("WWW-Authenticate", 'Basic realm="Floor 3.1"'), False),
        (("server", ""), False),
        (("Via", "1.1 varnish, HTTP/1.1 front"), False),
        (("Via", "1.1 lm.example.test (LoadMaster/7.1)"), True),
        (("X-Generator", "anything"), True),
        (("Date", "Mon, 01 Jan 2024 00:00:00 GMT"), False),
        (("X-Powered-By", "PHP/5.4"), False),
    ],
)
def test_which_lines_tell_a_version(header: tuple[str, str], tells: bool):
    reply = Reply(headers=(header,))
    exchange = exchange_of(Asked(IPV4, 443, "https", "/", browser=False, number=1), reply)
    assert bool(load_telling_headers().found_in(exchange)) is tells


def test_zero_fail_on_the_good_site_over_noisy_runs():
    passed = 0
    for seed in range(100):
        world = World({(IPV4, 443, "https"): noisy(good, seed)}).scan()
        for rule in (POWERED_BY, VERSIONS):
            verdict, _ = world.result(rule, 443)
            assert verdict != "fail"
            passed += verdict == "pass"
    assert passed > 180


def test_every_result_has_a_case():
    powered = {result for _, _, result in POWERED_BY_CASES.values()} | {
        "not-served",
        "absent-on-redirects",
        "incomplete",
    }
    versions = {result for _, _, result in VERSION_CASES.values()} | {"not-served", "absent-on-redirects", "incomplete"}
    assert powered == set(POWERED_BY_RESULTS)
    assert versions == set(VERSION_RESULTS)

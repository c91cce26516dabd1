"""The rules about everything that a port answers: every result once, and the traps."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.target import Target
from flexiscan.policy.rule import Rule
from flexiscan.policy.rules import web_cookies, web_downgrade, web_hsts, web_security_headers
from flexiscan.policy.web.cookies import read_cookie
from flexiscan.policy.web.hsts import read_transport_security
from flexiscan.policy.web.links import links_of
from tests.policy.web_sites import HSTS, HTML, LOGIN_TEXT, always, banning, good, noisy, sound, to_https
from tests.policy.web_world import HOST, IPV4, IPV6, Asked, Reply, Site, World, everywhere

WAF_TEXT = "<h1>Access denied</h1><p>This request was blocked by our security policy. Support ID: 4711-0815</p>"
RULES = (web_downgrade.RULE, web_hsts.RULE, web_cookies.RULE, web_security_headers.RULE)


def altered(where: str, *headers: tuple[str, str], body: str | None = None, status: int | None = None) -> Site:
    """The sound site with other headers (in place of those of the same name) or another body under some paths."""

    def site(asked: Asked) -> Reply:
        reply = sound(asked)
        if not asked.path.startswith(where) or asked.path == "/%":
            return reply
        names = {name for name, _ in headers}
        kept = tuple(header for header in reply.headers if header[0] not in names)
        given_ones = tuple(header for header in headers if header[1])
        return Reply(status or reply.status, reply.body if body is None else body, kept + given_ones)

    return site


def page(text: str) -> Site:
    return altered("/Presentity/", body=LOGIN_TEXT.format(title="Presentity") + text)


def result(rule: Rule, site: Site, port: int = 443, scheme: str = "https") -> tuple[str, str]:
    return World(everywhere(site, port, scheme), Target(host=HOST)).scan().result(rule, port)


DOWNGRADE: dict[str, tuple[Site, str, str]] = {
    "sound": (sound, "pass", "stays-encrypted"),
    "redirect of the proxy's offload": (
        altered("/Presentity", ("Location", f"http://{HOST}/Presentity/"), status=301),
        "fail",
        "redirects-down",
    ),
    "redirect by the address": (
        altered("/mobile/", ("Location", f"http://{IPV4}/mobile/x"), status=302),
        "fail",
        "redirects-down",
    ),
    "redirect to the plain port by number": (
        altered("/mobile/", ("Location", f"HTTP://{HOST.upper()}:443/"), status=302),
        "fail",
        "redirects-down",
    ),
    "redirect to another host": (
        altered("/mobile/", ("Location", "http://elsewhere.test/"), status=302),
        "pass",
        "stays-encrypted",
    ),
    "relative redirect": (altered("/mobile/", ("Location", "/x"), status=302), "pass", "stays-encrypted"),
    "form": (page(f"<form action='http://{HOST}/logon'>"), "fail", "form-leads-down"),
    "button with an address of its own": (page(f'<button formaction="http://{HOST}/go">'), "fail", "form-leads-down"),
    "base": (page(f"<base href=http://{HOST}/>"), "fail", "base-leads-down"),
    "refresh": (
        page(f"<META HTTP-EQUIV=Refresh content='0; URL=http://{HOST}/'>"),
        "fail",
        "redirects-down",
    ),
    "link": (page(f"<a href='http://{HOST}/help'>"), "fail", "links-lead-down"),
    "link in a comment": (page(f"<!-- <a href='http://{HOST}/help'> -->"), "pass", "stays-encrypted"),
    "link to another host": (page("<a href='http://www.elsewhere.test/'>"), "pass", "stays-encrypted"),
    "relative form": (page("<form action='logon'>"), "pass", "stays-encrypted"),
    "ban": (banning(20, Reply(404, "", (HTML,)), sound), "inconclusive", "canary-lost"),
    "filter": (always(Reply(403, WAF_TEXT, (HTML,))), "inconclusive", "blocked-page"),
    "nothing": (always(Reply(outcome="timeout")), "inconclusive", "no-answer"),
}
STRICT: dict[str, tuple[Site, str, str]] = {
    "sound": (sound, "pass", "on-every-answer"),
    "good but without": (good, "fail", "absent"),
    "missing on errors": (altered("/Presentity/x", (HSTS[0], "")), "pass", "on-every-answer"),
    "missing on one application": (altered("/mobile/", (HSTS[0], "")), "fail", "not-on-every-answer"),
    "off": (altered("/", (HSTS[0], "max-age=0")), "fail", "switched-off"),
    "a day": (altered("/", (HSTS[0], "max-age=86400")), "fail", "too-short"),
    "no number": (altered("/", (HSTS[0], "max-age=never")), "fail", "unreadable"),
    "only the first line counts": (
        altered("/", (HSTS[0], "max-age=0"), (HSTS[0], "max-age=31536000")),
        "fail",
        "switched-off",
    ),
    "ban": (banning(20, Reply(404, "", (HTML, HSTS)), sound), "inconclusive", "canary-lost"),
    "nothing": (always(Reply(outcome="timeout")), "inconclusive", "no-answer"),
}
COOKIES: dict[str, tuple[Site, str, str]] = {
    "sound": (sound, "pass", "protected"),
    "without Secure": (altered("/mobile/", ("Set-Cookie", "PHPSESSID=a; HttpOnly")), "fail", "without-secure"),
    "without HttpOnly": (
        altered("/mobile/", ("Set-Cookie", "ASP.NET_SessionId=a; secure")),
        "fail",
        "without-httponly",
    ),
    "secure in the value alone": (
        altered("/mobile/", ("Set-Cookie", "PHPSESSID=secure; HttpOnly")),
        "fail",
        "without-secure",
    ),
    "for the whole domain": (
        altered("/mobile/", ("Set-Cookie", "PHPSESSID=a; Secure; HttpOnly; Domain=.example.test")),
        "fail",
        "for-other-hosts",
    ),
    "for the host by name": (
        altered("/mobile/", ("Set-Cookie", f"PHPSESSID=a; Secure; HttpOnly; Domain={HOST}")),
        "pass",
        "protected",
    ),
    "a choice of language": (
        altered("/", ("Set-Cookie", "lang=sv")),
        "not_applicable",
        "no-session-cookie",
    ),
    "from everywhere, in clear": (
        altered("/mobile/", ("Set-Cookie", "lang=sv; SameSite=None")),
        "fail",
        "samesite-without-secure",
    ),
    "none": (altered("/", ("Set-Cookie", "")), "not_applicable", "no-session-cookie"),
    "ban": (banning(20, Reply(404, "", (HTML,)), sound), "inconclusive", "canary-lost"),
}
PROTECTIVE: dict[str, tuple[Site, str, str]] = {
    "sound": (sound, "pass", "present"),
    "good but without": (good, "fail", "missing"),
    "framing left to the policy": (
        altered(
            "/", ("X-Frame-Options", ""), ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
        ),
        "pass",
        "present",
    ),
    "a policy that says nothing of framing": (
        altered("/", ("X-Frame-Options", ""), ("Content-Security-Policy", "default-src 'self'")),
        "fail",
        "missing",
    ),
    "given up by browsers": (altered("/", ("X-Frame-Options", "ALLOW-FROM https://a.test")), "fail", "missing"),
    "one page": (altered("/mobile/", ("X-Content-Type-Options", "")), "fail", "not-on-every-page"),
    "said twice, differently": (
        altered("/", ("X-Content-Type-Options", "nosniff"), ("X-Content-Type-Options", "none")),
        "fail",
        "missing",
    ),
    "ban": (banning(20, Reply(404, "", (HTML,)), sound), "inconclusive", "canary-lost"),
}
CASES = [
    pytest.param(rule, *case, id=f"{rule.id}: {name}")
    for rule, cases in zip(RULES, (DOWNGRADE, STRICT, COOKIES, PROTECTIVE), strict=True)
    for name, case in cases.items()
]


@pytest.mark.parametrize(("rule", "site", "verdict", "expected"), CASES)
def test_every_result(rule: Rule, site: Site, verdict: str, expected: str) -> None:
    assert result(rule, site) == (verdict, expected)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_port_that_is_not_served_holds(rule: Rule) -> None:
    assert World(everywhere(to_https(), 80, "http"), Target(host=HOST)).scan().result(rule, 443) == (
        "pass",
        "not-served",
    )


ON_REDIRECTOR = (
    ("not_applicable", "not-encrypted"),
    ("not_applicable", "not-encrypted"),
    ("pass", "none-on-redirects"),
    ("not_applicable", "not-encrypted"),
)


@pytest.mark.parametrize(
    ("rule", "expected"), [pytest.param(*pair, id=pair[0].id) for pair in zip(RULES, ON_REDIRECTOR, strict=True)]
)
def test_the_redirector_in_clear(rule: Rule, expected: tuple[str, str]) -> None:
    sites = everywhere(sound) | everywhere(to_https(), 80, "http")
    assert World(sites, Target(host=HOST)).scan().result(rule, 80) == expected


def test_a_cookie_in_clear_counts_whatever_it_is_for() -> None:
    sites = everywhere(sound) | everywhere(
        lambda asked: to_https()(asked).adding(("Set-Cookie", "lang=sv")), 80, "http"
    )
    assert World(sites, Target(host=HOST)).scan().result(web_cookies.RULE, 80) == ("fail", "set-in-clear")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_one_family_alone_is_found(rule: Rule) -> None:
    bad = altered(
        "/mobile/",
        (HSTS[0], ""),
        ("Set-Cookie", "PHPSESSID=a"),
        ("X-Content-Type-Options", ""),
        body=f"<form action='http://{HOST}/'>",
    )
    world = World({(IPV4, 443, "https"): sound, (IPV6, 443, "https"): bad}, Target(host=HOST)).scan()
    assert world.result(rule, 443, IPV4)[0] == "pass"
    assert world.result(rule, 443, IPV6)[0] == "fail"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("seed", range(10))
def test_noise_never_fails_a_sound_site(rule: Rule, seed: int) -> None:
    assert result(rule, noisy(sound, seed))[0] != "fail"


def test_values_of_cookies_never_reach_a_finding() -> None:
    site = altered("/mobile/", ("Set-Cookie", "PHPSESSID=secret4711; path=/"))
    findings = World(everywhere(site), Target(host=HOST)).scan().findings(web_cookies.RULE)
    assert any(finding.verdict == "fail" for finding in findings)
    assert not any("secret4711" in finding.model_dump_json() for finding in findings)


@pytest.mark.parametrize(
    ("value", "max_age_s"),
    [
        ("max-age=31536000", 31536000),
        ('MAX-AGE="600" ; includeSubDomains', 600),
        ("includeSubDomains; max-age = 5", 5),
        ("max-age=1; max-age=2", None),
        ("max-age", None),
        ("max-age=-1", None),
        ("", None),
    ],
)
def test_the_header_is_read_as_browsers_read_it(value: str, max_age_s: int | None) -> None:
    policy = read_transport_security(value)
    assert (None if policy is None else policy.max_age_s) == max_age_s


def test_a_cookie_line_is_read_without_its_value() -> None:
    cookie = read_cookie("a=b=c; Path=/; SECURE; Domain=.Example.test; SameSite=Strict")
    assert str(cookie) == "a; Secure; SameSite=strict; Domain=example.test"
    assert read_cookie("no equals sign; Secure") is None


@given(st.text(alphabet=string.printable, max_size=300))
def test_hostile_texts_are_read_to_their_end(text: str) -> None:
    for link in links_of(text):
        assert isinstance(link.host, str)
        assert isinstance(link.scheme, str)
    read_cookie(text)
    read_transport_security(text)


def test_a_link_that_cannot_be_read_is_none() -> None:
    (link,) = links_of('<a href="http://[broken/">')
    assert (link.scheme, link.host) == ("", "")

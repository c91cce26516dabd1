"""Whole documents for the tests of the reports: good, bad, incomplete, hostile, several hosts."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import Any

from flexiscan.model.facts import RtpSweep
from flexiscan.model.finding import VERDICTS, Finding
from flexiscan.model.observation import Observation
from flexiscan.model.result import (
    AuthorisationShown,
    ControlTally,
    EndpointShown,
    Guide,
    ResultDocument,
    RunFacts,
    TargetResult,
    Tool,
    Vantage,
    VantageFamily,
)
from tests.reports.sample_findings import (
    HOST,
    PROFILE,
    START,
    V4,
    V6,
    finding,
    http,
    observe,
    sip_answer,
    tcp_open,
    tls_agreed,
)

GOOD_ON_443 = {
    "ports.web-reachable": "open-as-declared",
    "web.x-powered-by-absent": "absent",
    "web.version-headers-absent": "absent",
    "tls.sslv2-refused": "refused",
    "tls.sslv3-refused": "refused",
    "tls.tls10-refused": "refused",
    "tls.tls11-refused": "refused",
    "tls.modern-offered": "offered",
    "tls.tls13-offered": "offered",
    "tls.ciphers-strong": "strong",
    "cert.trusted": "trusted",
    "cert.hostname-matches": "matches",
    "cert.in-validity": "in-validity",
    "cert.renewal-due": "time-left",
    "cert.key-strong": "strong",
    "cert.signature-strong": "strong",
}
GOOD_ON_80 = {"web.https-only": "redirects-to-https", "web.redirect-sound": "sound"}
GOOD_OF_NAME: dict[str, tuple[str, dict[str, Any]]] = {
    "dns.ipv4-present": ("present", {"addresses": [V4]}),
    "dns.ipv6-present": ("present", {"addresses": [V6]}),
    "dns.addresses-public": ("all-public", {"addresses": [V4, V6]}),
    "dns.addresses-as-declared": ("as-declared", {"addresses": [V4, V6]}),
    "dns.alias-sound": ("no-alias", {}),
    "parity.ports-equal": ("equal", {"compared": 27}),
}
GOOD_ADMIN = {80: "redirects-to-https", 443: "same-as-missing", 8080: "not-served", 4443: "not-served"}
PORT_RULES = frozenset(row.rule for row in PROFILE.ports)
BUILT = {*GOOD_ON_443, *GOOD_ON_80, *GOOD_OF_NAME, *PORT_RULES, "web.admin-unreachable"}
V4_ENDPOINT = EndpointShown(address=V4, family="ipv4")
V6_ENDPOINT = EndpointShown(address=V6, family="ipv6")
BOTH = (V4_ENDPOINT, V6_ENDPOINT)


def document(
    *targets: TargetResult,
    exit_code: int,
    interrupted: bool = False,
    ended: bool = True,
    vantage: Vantage | None = None,
    authorised_by: str = "A. Svensson, CIO",
) -> ResultDocument:
    """A document around target results, with counts that fit."""
    tally = Counter(f.verdict for target in targets for f in target.findings)
    return ResultDocument(
        tool=Tool(version="0.1.0"),
        guide=Guide(title=PROFILE.guide_title, release=PROFILE.guide_release),
        run=RunFacts(
            id="01JDB6Z7Q8",
            started=START,
            ended=START + dt.timedelta(seconds=41.4) if ended else None,
            interrupted=interrupted,
            seed=4711,
            pace={"udp_pps": 200, "http_rps": 20, "tls_concurrency": 4},
        ),
        authorisation=AuthorisationShown(authorised_by=authorised_by, customer="Example AB", reference="2026-117"),
        vantage=vantage
        or Vantage(
            ipv4=VantageFamily(usable=True, source_address="198.51.100.7"),
            ipv6=VantageFamily(usable=True, source_address="2001:db8:99::7"),
            controls=(
                ControlTally(address=V4, asked=14, answered=14),
                ControlTally(address=V6, asked=14, answered=14),
            ),
        ),
        targets=targets,
        summary={verdict: tally[verdict] for verdict in VERDICTS},
        exit_code=exit_code,
    )


def target(
    findings: Iterable[Finding],
    observations: Iterable[Observation] = (),
    host: str = HOST,
    endpoints: tuple[EndpointShown, ...] = BOTH,
) -> TargetResult:
    """The findings about a host, completed so that every rule of the profile has one, in the profile's order."""
    given = list(findings)
    told = {f.rule for f in given}
    given += [f for entry in PROFILE.rules if entry.id not in told for f in _untold(entry.id, endpoints)]
    order = {entry.id: place for place, entry in enumerate(PROFILE.rules)}
    given.sort(key=lambda f: order.get(f.rule, len(order)))
    return TargetResult(host=host, endpoints=endpoints, findings=tuple(given), observations=tuple(observations))


def _untold(rule: str, endpoints: tuple[EndpointShown, ...]) -> list[Finding]:
    if rule.startswith("host."):
        return [finding(rule, "not_checked", "not-attested")]
    if rule == "ports.mitai-unreachable":
        return [finding(rule, "not_checked", "not-declared")]
    if rule not in BUILT:
        return [finding(rule, "not_checked", "not-built")]
    if rule in GOOD_OF_NAME:
        result, params = GOOD_OF_NAME[rule]
        return [finding(rule, "pass", result, params=params)]
    return [f for endpoint in endpoints for f in _good_of_address(rule, endpoint.address)]


def _good_of_address(rule: str, address: str) -> list[Finding]:
    if rule == "ports.rtp-unreachable":
        coverage = {"ports_asked": 500, "ports_total": 10001, "bound": 58, "silent": 0}
        return [finding(rule, "pass", "filtered", address, None, "udp", confidence="tentative", params=coverage)]
    if rule == "web.admin-unreachable":
        return [finding(rule, "pass", result, address, port) for port, result in GOOD_ADMIN.items()]
    if rule in PORT_RULES:
        rows = [row for row in PROFILE.ports if row.rule == rule]
        return [finding(rule, "pass", "filtered", address, row.port, row.transport) for row in rows]
    if rule in GOOD_ON_80:
        return [finding(rule, "pass", GOOD_ON_80[rule], address, 80)]
    params = {
        "versions": ["TLSv1.2", "TLSv1.3"],
        "not_before": "2026-09-01T00:00:00+00:00",
        "not_after": "2027-03-01T00:00:00+00:00",
        "days_left": 98,
        "key": "RSA",
        "bits": 2048,
        "answers": 21,
    }
    return [finding(rule, "pass", GOOD_ON_443[rule], address, 443, confidence="confirmed", params=params)]


def good_document() -> ResultDocument:
    """Everything that is built passes, over both families."""
    return document(target([]), exit_code=0)


def complete_document() -> ResultDocument:
    """Everything passes and nothing was left out: what the tool will say when all rules are built."""
    findings = [f for f in good_document().targets[0].findings if f.verdict == "pass"]
    told = {f.rule for f in findings}
    findings += [
        finding(e.id, "pass", "equal") for e in PROFILE.rules if e.id not in told and not e.id.startswith("host.")
    ]
    return document(target(findings), exit_code=0)


def bad_document() -> ResultDocument:
    """A host much as it is delivered, with one door open over IPv6 only."""
    return document(target(_bad_findings(), _bad_observations()), exit_code=1)


def _bad_findings() -> list[Finding]:
    powered = {"headers": ["X-Powered-By: PHP/5.6.40"], "paths": ["/mobile/"], "answers": 4}
    rtp = {"first_port": 40000, "last_port": 50000, "ports_asked": 500, "ports_total": 10001, "silent": 500}
    admin = {"path": "/admin/", "status": 200, "class": "login-page", "channel": "https"}
    sip = {"service": "sip"}
    findings = [
        finding("web.admin-unreachable", "fail", "open-confirmed", V6, 443, confidence="confirmed",
                because=("http/v6/admin", "http/v6/missing"), params=admin),
        finding("web.admin-unreachable", "fail", "open-behind-redirect", V6, 80, because=("http/v6/80",)),
        finding("web.admin-unreachable", "pass", "same-as-missing", V4, 443),
        finding("web.admin-unreachable", "pass", "redirects-to-https", V4, 80),
        finding("web.admin-unreachable", "pass", "not-served", V4, 8080),
        finding("web.admin-unreachable", "fail", "asks-for-login", V4, 4443, because=("http/v4/4443",), params=admin),
        finding("web.admin-unreachable", "fail", "asks-for-login", V6, 4443, because=("http/v6/4443",), params=admin),
        finding("ports.backend-site-unreachable", "fail", "open-confirmed", V4, 4443, because=("tcp/v4/4443",),
                params={"service": "tls"}, confidence="confirmed"),
        finding("ports.backend-site-unreachable", "fail", "open", V6, 4443, because=("tcp/v6/4443",)),
        finding("ports.sip-unreachable", "fail", "open-confirmed", V4, 5060, "udp", because=("udp/v4/5060",),
                params=sip, confidence="confirmed"),
        finding("ports.sip-unreachable", "fail", "open-confirmed", V6, 5060, "udp", because=("udp/v6/5060",),
                params=sip, confidence="confirmed"),
        finding("ports.sip-unreachable", "fail", "open-or-filtered", V6, 5060, "tcp", confidence="tentative"),
        finding("ports.sip-unreachable", "pass", "filtered", V4, 5061),
        finding("ports.tapi-avaya-unreachable", "inconclusive", "no-exposure-seen", V4, 50797, "udp"),
        finding("ports.tapi-avaya-unreachable", "inconclusive", "no-exposure-seen", V6, 50797, "udp"),
        finding("ports.tapi-avaya-unreachable", "fail", "open", V6, 50797, because=("tcp/v6/50797",)),
        finding("ports.rtp-unreachable", "inconclusive", "no-exposure-seen", V4, None, "udp", params=rtp,
                because=("rtp/v4",)),
        finding("ports.ctstack-config-unreachable", "fail", "open-confirmed", V4, 1339, because=("tcp/v4/1339",),
                params={"service": "ctstack-config"}, confidence="confirmed"),
        finding("web.https-only", "fail", "content-in-clear", V4, 80, params={"paths": ["/", "/Presentity/"]}),
        finding("web.x-powered-by-absent", "fail", "php-shown", V4, 443, because=("http/v4/mobile",),
                params=powered, confidence="confirmed"),
        finding("web.x-powered-by-absent", "fail", "php-shown", V6, 443, because=("http/v6/mobile",),
                params=powered, confidence="confirmed"),
        finding("web.version-headers-absent", "fail", "version-shown", V4, 443,
                params={"headers": ["Server: Microsoft-IIS/8.5"]}),
        finding("dns.ipv6-present", "pass", "present", params={"addresses": [V6]}),
        finding("cert.trusted", "fail", "chain-incomplete", V6, 443, params={"missing": "Example CA 3"}),
    ]  # fmt: skip
    for rule, version in (("tls.sslv3-refused", "SSLv3"), ("tls.tls10-refused", "TLSv1.0")):
        for address in (V4, V6):
            because = (f"tls/{address}/{version}",)
            findings.append(finding(rule, "fail", "offered", address, 443, confidence="confirmed", because=because))
    ports = [{"port": 50797, "transport": "tcp", "open_at": V6}, {"port": 5060, "transport": "tcp", "open_at": V6}]
    findings.append(finding("parity.ports-equal", "fail", "open-only-on-ipv6", severity="critical",
                            params={"differences": ports}))  # fmt: skip
    return findings


def _bad_observations() -> list[Observation]:
    login = "<html><head><title>Admital Web</title></head><body><form><input type=password></form></body></html>"
    page = http("/admin/", 200, login, Server="Microsoft-IIS/8.5", X_Powered_By="PHP/5.6.40", Content_Type="text/html")
    mobile = http("/mobile/", 200, "<xml/>", Server="Microsoft-IIS/8.5", X_Powered_By="PHP/5.6.40")
    sweep = RtpSweep(first_port=40000, last_port=50000, seed=4711, passes=2, payload_hex="80c9000100000000",
                     ports_asked=500, datagrams=1000, silent=500)  # fmt: skip
    return [
        observe("http/v6/admin", page, 20.0),
        observe("http/v6/missing", http("/qzrvk/", 404, "Not Found"), 20.2),
        observe("http/v6/80", http("/admin/", 301, Location=f"https://{HOST}/admin/"), 21.0),
        observe("http/v4/4443", page, 22.0),
        observe("http/v6/4443", page, 22.5),
        observe("http/v4/mobile", mobile, 23.0),
        observe("http/v6/mobile", mobile, 23.1),
        observe("tcp/v4/4443", tcp_open("tls", b"\x15\x03\x01\x00\x02\x02\x28"), 3.0),
        observe("tcp/v6/4443", tcp_open("tls", b"\x15\x03\x01\x00\x02\x02\x28"), 3.1),
        observe("tcp/v6/50797", tcp_open("", b""), 3.2),
        observe("tcp/v4/1339", tcp_open("ctstack-config", b"HTTP/1.1 200 OK\r\n\r\n<title>Datatal CTStack"), 3.3),
        observe("udp/v4/5060", sip_answer(), 5.0),
        observe("udp/v6/5060", sip_answer(), 5.4),
        observe("rtp/v4", sweep, 8.0, 6.0),
        *(
            observe(f"tls/{address}/{version}", tls_agreed(version), 30.0)
            for address in (V4, V6)
            for version in ("SSLv3", "TLSv1.0")
        ),
    ]


def incomplete_document() -> ResultDocument:
    """Interrupted, from a machine without IPv6."""
    findings = []
    for entry in PROFILE.rules:
        if entry.id in BUILT and entry.id not in GOOD_OF_NAME:
            findings.append(finding(entry.id, "inconclusive", "interrupted", V4, 443))
            findings.append(finding(entry.id, "inconclusive", "no-ipv6-here", V6, 443))
    vantage = Vantage(
        ipv4=VantageFamily(usable=True, source_address="198.51.100.7"),
        ipv6=VantageFamily(usable=False, reason="no route"),
        controls=(ControlTally(address=V4, asked=3, answered=1),),
    )
    return document(target(findings), exit_code=130, interrupted=True, ended=False, vantage=vantage)


def unresolved_document() -> ResultDocument:
    """A name without addresses: DNS fails, and there is nothing else to look at."""
    absent = [
        finding("dns.ipv4-present", "fail", "name-unknown"),
        finding("dns.ipv6-present", "fail", "name-unknown"),
        finding("dns.addresses-public", "not_applicable", "no-addresses"),
        finding("dns.addresses-as-declared", "not_applicable", "not-declared"),
        finding("dns.alias-sound", "not_applicable", "name-unknown"),
        finding("parity.ports-equal", "not_applicable", "single-address"),
    ]
    others = [
        finding(entry.id, "not_applicable", "no-address").model_copy(update={"family": family})
        for entry in PROFILE.rules
        if entry.id in BUILT and entry.id not in GOOD_OF_NAME
        for family in ("ipv4", "ipv6")
    ]
    return document(target([*absent, *others], endpoints=()), exit_code=1)


def several_hosts_document() -> ResultDocument:
    """A bad host, a good one, and one that could not be found."""
    bad, good, lost = bad_document(), good_document(), unresolved_document()
    targets = [
        source.targets[0].model_copy(update={"host": host})
        for source, host in ((bad, HOST), (good, "flexi2.example.se"), (lost, "old.example.se"))
    ]
    return document(*targets, exit_code=1)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><style>*{display:none}",
    "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "\u202eevil\u202c \u2066x\u2069 \u200b\ufeff",
    "=HYPERLINK(\"http://evil.example/\")",
    "| a | b | `code` *bold* [x](javascript:alert(1)) # head\n\n# Heading\n- item",
    "{{ 7 * 7 }} {% raw %} ${7*7} {rule} {0}",
    "\ud800 lone surrogate",
    "Z\u0351\u0352\u0353\u0354\u0355\u0356 a\u0308 漢字 👩‍👩‍👧",
    "line one\r\nX-Injected: yes\r\n\r\nbody",
    "A" * 5000,
)  # fmt: skip


def hostile_document() -> ResultDocument:
    """Hostile text wherever a target, or whoever fills in the scope file, could put some."""
    findings = []
    observations = []
    for number, text in enumerate(HOSTILE):
        name = f"http/{number}/{text[:40]}"
        findings.append(
            finding("web.admin-unreachable", "fail", "open-confirmed", V6, 1000 + number, because=(name,),
                    params={"path": text, "status": text, "service": text, "odd": {"key": text}})
        )  # fmt: skip
        findings.append(finding("cert.hostname-matches", "fail", "wrong-name", V4, 2000 + number,
                                params={"names": [text, text], "host": text}))  # fmt: skip
        findings.append(finding("dns.alias-sound", "fail", text[:60], params={"chain": [text]}))
        findings.append(finding("ports.sip-unreachable", "inconclusive", "internal", V4, 3000 + number,
                                params={"detail": text}))  # fmt: skip
        observations.append(observe(name, http(f"/{text}", 200, text, Server=text, X_Odd=text)))
    base = document(target(findings, observations), exit_code=1, authorised_by=HOSTILE[0] + HOSTILE[3] + "';rm -rf /")
    return base

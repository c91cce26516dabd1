"""The guide map is total: every line of the guide leads to a rule or says why not, and no rule is missing."""

from __future__ import annotations

import re

from flexiscan.model.profile import GuideItem, RuleEntry
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rules import RULES
from flexiscan.policy.rules.host import HOST_AREA

PROFILE = load_profile()

RULE_IDS: dict[str, str] = {
    "ports": """sip-unreachable rtp-unreachable tapi-avaya-unreachable tftp-unreachable tapi-panasonic-unreachable
        mitai-unreachable oip-corba-unreachable exchange-connector-unreachable ctstack-api-unreachable
        ctstack-config-unreachable backend-site-unreachable windows-services-unreachable database-unreachable
        proxy-management-unreachable web-reachable telephony-manager-as-declared active-state-as-declared
        no-undeclared-port""",
    "web": """admin-unreachable flexistat-unreachable tid-as-declared declared-apps-reachable api-protected
        proxy-management-absent https-only redirect-sound no-downgrade hsts-enabled x-powered-by-absent
        version-headers-absent internal-address-hidden errors-not-verbose diagnostics-absent backups-absent
        listing-absent php-supported methods-restricted cookies-protected security-headers cors-restricted
        unknown-host-refused host-header-not-trusted""",
    "tls": """sslv2-refused sslv3-refused tls10-refused tls11-refused modern-offered tls13-offered ciphers-strong
        forward-secrecy key-exchange-strong compression-off renegotiation-secure known-attacks-absent
        fallback-protected""",
    "cert": """trusted hostname-matches in-validity renewal-due key-strong signature-strong chain-complete
        transparency-logged revocation-known""",
    "dns": """ipv4-present ipv6-present addresses-public addresses-as-declared alias-sound delegation-sound
        servers-agree servers-on-both-families recursion-refused transfer-refused dnssec-valid signatures-fresh
        caa-allows-issuer tlsa-matches https-record-consistent reverse-confirmed ttl-sane no-sip-records
        no-internal-names resolvers-agree""",
    "parity": "ports-equal certificate-equal web-equal content-equal ipv6-as-fast path-mtu-sound",
    "host": """administrator-password windows-updated antivirus local-firewall backup disk-layout default-accounts
        pin-policy license-server-egress voice-manager-egress""",
}
"""Every rule id of the design, by area."""

BUILT = """ports.sip-unreachable ports.rtp-unreachable ports.tapi-avaya-unreachable ports.tftp-unreachable
    ports.tapi-panasonic-unreachable ports.mitai-unreachable ports.oip-corba-unreachable
    ports.exchange-connector-unreachable ports.ctstack-api-unreachable ports.ctstack-config-unreachable
    ports.backend-site-unreachable ports.windows-services-unreachable ports.database-unreachable
    ports.proxy-management-unreachable ports.web-reachable ports.telephony-manager-as-declared
    ports.active-state-as-declared ports.no-undeclared-port
    web.admin-unreachable web.https-only web.redirect-sound web.x-powered-by-absent
    web.version-headers-absent tls.sslv2-refused tls.sslv3-refused tls.tls10-refused tls.tls11-refused
    tls.modern-offered tls.ciphers-strong cert.trusted cert.hostname-matches cert.in-validity cert.key-strong
    dns.ipv4-present dns.ipv6-present dns.addresses-public dns.addresses-as-declared dns.alias-sound
    parity.ports-equal"""
"""Rules that must never fall back to `not-built`."""

PORTS: dict[str, set[tuple[str, int, int | None]]] = {
    "ports.sip-unreachable": {("tcp", 5060, None), ("udp", 5060, None), ("tcp", 5061, None)},
    "ports.rtp-unreachable": {("udp", 40000, 50000)},
    "ports.tapi-avaya-unreachable": {("tcp", 50797, None), ("udp", 50797, None)},
    "ports.tftp-unreachable": {("udp", 69, None)},
    "ports.tapi-panasonic-unreachable": {("tcp", 33333, None), ("udp", 33333, None)},
    "ports.oip-corba-unreachable": {("tcp", 2809, None)},
    "ports.exchange-connector-unreachable": {("tcp", 13317, None)},
    "ports.ctstack-api-unreachable": {("tcp", 1337, None)},
    "ports.ctstack-config-unreachable": {("tcp", 1339, None)},
    "ports.backend-site-unreachable": {("tcp", 8080, None), ("tcp", 4443, None)},
    "ports.windows-services-unreachable": {
        *(("tcp", port, None) for port in (135, 139, 445, 3389, 5985, 5986)),
        ("udp", 137, None),
    },
    "ports.database-unreachable": {("tcp", 1433, None), ("udp", 1434, None)},
    "ports.proxy-management-unreachable": {("tcp", 22, None), ("tcp", 8443, None), ("udp", 161, None)},
    "ports.telephony-manager-as-declared": {("tcp", 9692, None)},
    "ports.active-state-as-declared": {("tcp", 13404, None)},
}
"""The port table of the design."""

SEVERITIES = {
    "critical": "web.admin-unreachable ports.ctstack-api-unreachable ports.ctstack-config-unreachable",
    "high": """ports.sip-unreachable ports.rtp-unreachable ports.database-unreachable
        ports.windows-services-unreachable tls.sslv3-refused cert.in-validity cert.hostname-matches""",
    "medium": "web.x-powered-by-absent tls.tls11-refused web.redirect-sound",
}
"""What the design says about single rules."""

EXPOSURES = {
    "web.internal-address-hidden",
    "web.diagnostics-absent",
    "web.backups-absent",
    "web.php-supported",
    "parity.path-mtu-sound",
}
"""Beyond the guide, yet an exposure (or a break for users) by themselves, so they may be more than low."""
MILD = {"host.disk-layout", "host.license-server-egress", "host.voice-manager-egress"}
"""In the guide, yet no exposure to the outside."""


def design_ids() -> list[str]:
    return [f"{area}.{name}" for area, names in RULE_IDS.items() for name in names.split()]


def test_the_profile_has_exactly_the_rules_of_the_design() -> None:
    ids = [entry.id for entry in PROFILE.rules]
    assert sorted(ids) == sorted(design_ids())
    assert len(set(ids)) == len(ids)


def is_mapped(item: GuideItem) -> bool:
    return (
        bool(item.rules or item.why_not)
        and item.testable is not bool(item.why_not)
        and bool(item.text and item.section)
        and all(item.id in PROFILE.entry(rule).guide for rule in item.rules)
    )


def test_every_line_of_the_guide_leads_to_a_rule_or_says_why_not() -> None:
    assert [item.id for item in PROFILE.items if not is_mapped(item)] == []


def test_the_nine_lines_of_the_checklist_are_there() -> None:
    lines = [item for item in PROFILE.items if item.id.startswith("checklist-")]
    assert [item.id for item in lines] == [f"checklist-{number}" for number in range(1, 10)]
    assert all(item.rules for item in lines)


def test_items_have_one_name_each() -> None:
    ids = [item.id for item in PROFILE.items]
    assert len(set(ids)) == len(ids)


def test_every_rule_names_the_lines_that_ask_for_it() -> None:
    items = {item.id for item in PROFILE.items}
    for entry in PROFILE.rules:
        assert entry.guide, entry.id
        assert set(entry.guide) <= items, entry.id
        assert len(set(entry.guide)) == len(entry.guide), entry.id
        assert re.fullmatch(r"[a-z]+\.[a-z0-9-]+", entry.id)


def is_rated_as_designed(entry: RuleEntry) -> bool:
    mild = entry.severity in ("low", "info")
    if entry.id in EXPOSURES:
        return entry.beyond_guide and not mild
    if entry.id in MILD:
        return mild and not entry.beyond_guide
    return mild is entry.beyond_guide


def test_what_the_guide_asks_for_is_medium_or_worse_and_the_rest_is_mild() -> None:
    assert [entry.id for entry in PROFILE.rules if not is_rated_as_designed(entry)] == []


def test_the_severities_that_the_design_names() -> None:
    designed = {rule: severity for severity, rules in SEVERITIES.items() for rule in rules.split()}
    assert {rule: PROFILE.entry(rule).severity for rule in designed} == designed


def test_the_port_table_is_that_of_the_design() -> None:
    rows: dict[str, set[tuple[str, int, int | None]]] = {}
    for row in PROFILE.ports:
        rows.setdefault(row.rule, set()).add((row.transport, row.port, row.last_port))
    assert rows == PORTS
    assert sum(map(len, rows.values())) == len(PROFILE.ports)


def test_declared_ports_say_by_which_word() -> None:
    declared = {row.rule: row.only_if for row in PROFILE.ports if row.only_if}
    assert declared == {
        "ports.telephony-manager-as-declared": "telephony-manager",
        "ports.active-state-as-declared": "active-state",
    }


def test_what_is_built_is_in_the_profile_once() -> None:
    built = [rule.id for rule in RULES]
    assert set(built) <= set(design_ids())
    assert len(set(built)) == len(built)
    assert not [rule for rule in built if rule.startswith(HOST_AREA)]


def test_no_rule_that_was_built_is_lost_again() -> None:
    assert set(BUILT.split()) <= {rule.id for rule in RULES}


def test_a_rule_can_hold_and_can_be_violated() -> None:
    assert [rule.id for rule in RULES if not {"holds", "violated"} <= set(rule.results.values())] == []


def test_results_have_plain_names() -> None:
    names = {result for rule in RULES for result in rule.results}
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []


EVALUATORS_OWN = {"not-selected", "not-built", "nothing-answers", "no-address", "addresses-unknown", "out-of-scope"}


def test_a_rule_does_not_use_the_words_of_the_evaluator() -> None:
    assert [rule.id for rule in RULES if EVALUATORS_OWN & set(rule.results)] == []

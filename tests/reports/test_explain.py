"""`flexiscan explain`: every rule in plain words, 78 columns, both languages."""

from __future__ import annotations

import pytest

from flexiscan_reports.explain import WIDTH, explain
from flexiscan_reports.text_width import width_of
from tests.reports.sample_findings import PROFILE
from tests.reports.test_catalogue import BUILT

ITEMS = {item.id: item for item in PROFILE.items}


def told(rule: str, locale: str = "en") -> str:
    entry = PROFILE.entry(rule)
    results = dict(BUILT[rule].results) if rule in BUILT else {}
    lines = [f"{ITEMS[name].section}: {ITEMS[name].text}" for name in entry.guide]
    return explain(entry, results, lines, locale)


@pytest.mark.parametrize("locale", ["en", "sv"])
@pytest.mark.parametrize("rule", [entry.id for entry in PROFILE.rules])
def test_every_rule_can_be_explained(rule: str, locale: str):
    text = told(rule, locale)
    assert text.startswith(f"{rule}: ")
    prose = [line for line in text.split("\n") if not line.startswith("      ")]
    assert all(width_of(line) <= WIDTH for line in prose)
    assert not any("{" in line for line in prose)


def test_results_and_fix_are_there():
    text = " ".join(told("web.admin-unreachable").split())
    assert "Fail open-confirmed: Served to everybody" in text
    assert "[IIS] Block /admin for everybody but the server itself in IIS." in text
    assert "IP Address and Domain Restrictions: /admin only from the local server" in text


def test_every_fix_of_a_rule_is_named():
    text = told("web.x-powered-by-absent")
    assert "[php.ini] Set expose_php = Off" in text
    assert "[IIS] Remove the header X-Powered-By in IIS." in text

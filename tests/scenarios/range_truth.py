"""What is true of a scenario's ports, and whether a finding lies about it: from the picture, not from the probes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from flexiscan_lab.expectation import read_expectation
from flexiscan_lab.scenario import Firewall, Opening, Scenario

FIRST_PORT, LAST_PORT = 40000, 50000
RANGE_RULE = "ports.rtp-unreachable"

Grade = Literal["told", "missed", "false pass", "false fail"]


def is_about_udp(scenario: Scenario) -> bool:
    """Whether anything about it shapes what becomes of datagrams."""
    return scenario.inner_router or not scenario.icmp_limit or any(_shapes(scenario, at) for at in ("ipv4", "ipv6"))


def _shapes(scenario: Scenario, family: str) -> bool:
    firewall, host = _firewall(scenario, family), scenario.ipv4 if family == "ipv4" else scenario.ipv6
    changed = firewall.policy != "drop" or firewall.block or firewall.loss_percent or firewall.answers
    silent = host is not None and host.stealth
    return bool(changed or silent or any(opening.transport == "udp" for opening in firewall.allow))


def _firewall(scenario: Scenario, family: str) -> Firewall:
    return scenario.firewall4 if family == "ipv4" else scenario.firewall6


def exposed_ports(scenario: Scenario, family: str) -> int:
    """How many ports of the media range the perimeter lets through, or forwards."""
    firewall = _firewall(scenario, family)
    if firewall.policy == "accept":
        return LAST_PORT - FIRST_PORT + 1
    forwarded = [opening for opening in firewall.answers if (opening.first, opening.last) == (FIRST_PORT, LAST_PORT)]
    return len({port for opening in (*firewall.allow, *forwarded) for port in _within(opening)})


def _within(opening: Opening) -> range:
    if opening.transport != "udp":
        return range(0)
    return range(max(opening.first, FIRST_PORT), min(opening.last, LAST_PORT) + 1)


def grade(scenario: Scenario, finding: Mapping[str, Any]) -> Grade:
    """A pass or a fail that the scenario does not allow is a lie; anything else that it does not expect is missed.

    A sample may pass where it says how many ports can be open in spite of it, and no more are.
    """
    verdict = finding["verdict"]
    wrong: Mapping[str, Grade] = {"pass": "false pass", "fail": "false fail"}
    meant = [read_expectation(key, value) for key, value in scenario.expectations.items()]
    agreeing = [expectation.agrees(finding) for expectation in meant if expectation.means(finding)]
    if finding["rule"] == RANGE_RULE:
        exposed = exposed_ports(scenario, finding["family"])
        bound = int(finding["params"].get("bound", 0))
        if (verdict == "pass" and exposed > bound) or (verdict == "fail" and not exposed):
            return wrong[verdict]
        if verdict == "pass" and 0 < exposed <= bound:
            return "missed"
    if all(agreeing):
        return "told"
    return wrong.get(verdict, "missed")


def port_findings(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of one port or range of one address."""
    return [finding for finding in findings if finding["rule"].startswith("ports.") and finding["address"] is not None]

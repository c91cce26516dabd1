"""curl must get the answers that the record says were given, and they must mean what the findings say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from flexiscan_lab.lab import Lab
from tests.oracle.comparison import ADDRESSES, Comparison, Comparisons, Target, asked_for, facts_of, needed
from tests.oracle.curl import Question, Reply, ask_curl, question_of, reply_of

pytestmark = [pytest.mark.oracle, pytest.mark.netns, pytest.mark.timeout(900)]

Told = dict[Question, Reply]

SCENARIOS = (
    "as_delivered",
    "hardened",
    "admin_answers_403",
    "admin_login_page_for_every_path",
    "admin_open_among_pages_that_answer_200",
    "admin_open_only_on_4443",
    "admin_open_only_on_port_80",
    "admin_open_only_over_ipv6",
    "admin_wants_a_password",
    "php_version_shown_over_ipv4_only",
)
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)

WEB_PORTS: Mapping[int, str] = {80: "http", 443: "https", 8080: "http", 4443: "https"}
ADMIN = "/admin/"
MISSING = "/no-such-page-for-curl/"
NOBODY = 0

ADMIN_VERDICTS: Mapping[tuple[int, int], frozenset[str]] = {
    (NOBODY, NOBODY): frozenset({"pass"}),
    (404, 404): frozenset({"pass"}),
    (403, 404): frozenset({"pass"}),
    (401, 404): frozenset({"fail"}),
    (200, 404): frozenset({"fail"}),
    (200, 200): frozenset({"fail", "inconclusive"}),  # the statuses alone do not tell
}
"""Status of /admin/ and of a missing page, and what may be said of /admin."""


@pytest.fixture(scope="module")
def comparisons(request: pytest.FixtureRequest) -> Iterator[Comparisons[Told]]:
    curl = needed("curl")

    def ask(lab: Lab, target: Target) -> Told:
        own = {
            Question(s, a, port, "GET", t) for a in ADDRESSES for port, s in WEB_PORTS.items() for t in (ADMIN, MISSING)
        }
        return ask_curl(lab, curl, own | set(answered(target)))

    yield from asked_for(request, ("--only", "web.*"), ask)


def answered(target: Target) -> dict[Question, list[Reply]]:
    """Every question of the scan that was answered, with all answers to it."""
    replies: dict[Question, list[Reply]] = {}
    for address in ADDRESSES:
        for port in WEB_PORTS:
            for fact in facts_of(target, "http", address, port):
                if fact["outcome"] == "response" and fact["request_version"] == "HTTP/1.1":
                    replies.setdefault(question_of(address, port, fact), []).append(reply_of(fact))
    return replies


def seen_by_curl(comparison: Comparison[Told], address: str, port: int) -> list[tuple[str, str]]:
    """All telling headers that curl got from a port."""
    replies = [reply for q, reply in comparison.told.items() if (q.address, q.port) == (address, port)]
    return [header for reply in replies for header in reply.headers]


@every_scenario
def test_same_answers(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    asked = answered(comparison.target)
    assert {(q.address, q.port) for q in asked} >= {(address, port) for address in ADDRESSES for port in (80, 443)}
    unlike = [
        f"{question}: curl got {comparison.told[question]}, the record has {reply}"
        for question, replies in asked.items()
        for reply in replies
        if reply != comparison.told[question]
    ]
    assert not unlike, "\n".join(unlike)


@every_scenario
def test_same_verdict_about_admin(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        for port, scheme in WEB_PORTS.items():
            ask = (Question(scheme, address, port, "GET", target) for target in (ADMIN, MISSING))
            statuses = tuple(comparison.told[question].status for question in ask)
            finding = comparison.finding("web.admin-unreachable", address, port)
            if statuses == (301, 301):
                behind = comparison.finding("web.admin-unreachable", address)
                assert (finding["verdict"] == "fail") == (behind["verdict"] == "fail"), (finding, behind)
                continue
            assert finding["verdict"] in ADMIN_VERDICTS[statuses[0], statuses[1]], (address, port, statuses, finding)
            assert (finding["result"] == "not-served") == (statuses == (NOBODY, NOBODY)), finding


@every_scenario
def test_same_verdict_about_headers(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    for address in ADDRESSES:
        for port in (80, 443):
            headers = seen_by_curl(comparison, address, port)
            powered = any(name == "x-powered-by" for name, _ in headers)
            version = any(
                name == "x-aspnet-version" or re.search(r"/\d", value)
                for name, value in headers
                if name in ("x-aspnet-version", "server")
            )
            verdicts = {
                rule: comparison.finding(rule, address, port)["verdict"]
                for rule in ("web.x-powered-by-absent", "web.version-headers-absent")
            }
            assert (verdicts["web.x-powered-by-absent"] == "fail") == powered, (address, port, headers)
            assert (verdicts["web.version-headers-absent"] == "fail") == version, (address, port, headers)

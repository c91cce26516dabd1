"""The catalogue is total: every rule, result, fix and word has its text, in both languages, with marks that exist."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

import flexiscan.policy
import flexiscan.policy.rules
from flexiscan.model.finding import SEVERITIES, VERDICTS, Finding
from flexiscan.policy.rule import Rule
from flexiscan_reports.derived import derived
from flexiscan_reports.sentence import fill_command, names_in
from flexiscan_reports.texts import LOCALES, Texts, load_texts, normalise_locale
from flexiscan_reports.view_jobs import PLACES
from tests.reports.sample_findings import PROFILE

# What the evaluator, the planner and the host rules say about any rule, beside the rule's own results.
EVALUATOR_RESULTS = (
    "not-built",
    "not-selected",
    "not-declared",
    "nothing-to-judge",
    "depth",
    "not-attested",
    "attested",
    "out-of-scope",
    "excluded",
    "no-address",
    "addresses-unknown",
    "not-looked-at",
    "interrupted",
    "internal",
    "deadline",
    "no-ipv6-here",
    "no-ipv4-here",
    "no-route",
    "no-privilege",
    "no-resource",
    "outside-scope",
    "outside-window",
    "worker-died",
    "control-lost",
    "nothing-answers",
    "only-resets",
    "everything-answers",
)
OWN_VALUES = {"rule", "result", "address", "port", "transport", "severity"}
FIX_VALUES = {"host", "ports", "tcp_ports", "udp_ports", "protocol", "schannel"}
RULE_IDS = [entry.id for entry in PROFILE.rules]


def built_rules() -> dict[str, Rule]:
    """Every rule object of the policy, also of modules that no list names yet."""
    found: dict[str, Rule] = {}
    for info in pkgutil.iter_modules(flexiscan.policy.rules.__path__):
        module = importlib.import_module(f"flexiscan.policy.rules.{info.name}")
        for value in vars(module).values():
            members = value if isinstance(value, tuple) else (value,)
            found |= {member.id: member for member in members if isinstance(member, Rule)}
    return found


BUILT = built_rules()


def results_of(rule: str) -> list[str]:
    own = [*BUILT[rule].results, BUILT[rule].without_subject] if rule in BUILT else []
    return list(dict.fromkeys([*own, *EVALUATOR_RESULTS]))


def entry_of(texts: Texts, rule: str, result: str) -> Any:
    special = texts.rules.get(rule, {}).get("results", {}).get(result)
    return special or texts.results.get(f"{rule.split('.')[0]}.{result}") or texts.results.get(result)


def leaves(table: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(table, dict):
        for key, value in table.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, table


def test_policy_has_rules():
    assert len(BUILT) > 20
    assert set(BUILT) <= set(RULE_IDS)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("rule", RULE_IDS)
def test_every_rule_is_told(rule: str, locale: str):
    texts = load_texts(locale)
    assert texts.title(rule) != rule
    assert len(texts.title(rule)) <= 80
    assert texts.what(rule).endswith(".")
    assert texts.why(rule).endswith(".")
    assert texts.fix(texts.fix_id(rule, "")).do.endswith(".")
    assert bool(texts.question(rule)) == rule.startswith("host.")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("rule", RULE_IDS)
def test_every_result_has_a_sentence(rule: str, locale: str):
    texts = load_texts(locale)
    missing = [result for result in results_of(rule) if entry_of(texts, rule, result) is None]
    assert missing == []


@pytest.mark.parametrize("locale", LOCALES)
def test_every_open_question_has_advice(locale: str):
    texts = load_texts(locale)
    for rule in BUILT.values():
        for result, outcome in rule.results.items():
            if outcome == "cannot-tell":
                assert texts.advice(made(rule.id, result)), (rule.id, result)


def made(rule: str, result: str, **params: Any) -> Finding:
    return Finding(rule=rule, guide=(), verdict="fail", severity="low", confidence="firm", result=result, params=params)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_value_in_a_sentence_is_given_by_some_rule(locale: str):
    texts = load_texts(locale)
    known = string_constants_of_the_policy() | OWN_VALUES | set(derived({"not_before": "", "not_after": ""}))
    known |= {"days_ago", "ports_differing", "special_addresses", "witness_doubt"}
    sentences = [(name, text) for name, text in leaves(dict(texts.results))]
    sentences += [(name, text) for name, text in leaves(dict(texts.rules)) if ".results." in name]
    for name, text in sentences:
        fixed = {value for rule in texts.links.values() for value in rule.get("values", {})}
        assert names_in(text) <= known | fixed, name


def string_constants_of_the_policy() -> set[str]:
    """Every string that stands in the policy: parameters are named there."""
    folder = Path(flexiscan.policy.__path__[0])
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in folder.rglob("*.py"))
    constants = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {constant.value for constant in constants if isinstance(constant.value, str)}


def test_both_languages_have_the_same_texts_and_values():
    english, swedish = load_texts("en"), load_texts("sv")
    for name in ("rules", "fixes", "results", "words", "guide"):
        mine, theirs = dict(leaves(dict(getattr(english, name)))), dict(leaves(dict(getattr(swedish, name))))
        assert mine.keys() == theirs.keys(), name
        for key, text in mine.items():
            if isinstance(text, list):
                assert len(text) == len(theirs[key]), key
            elif isinstance(text, str):
                assert names_in(text) == names_in(theirs[key]), key


def test_prose_is_translated():
    english, swedish = load_texts("en"), load_texts("sv")
    for rule in RULE_IDS:
        assert english.what(rule) != swedish.what(rule)
        assert english.why(rule) != swedish.why(rule)
    for name in english.fixes:
        assert english.fix(name).do != swedish.fix(name).do, name
        assert english.fix(name).steps != swedish.fix(name).steps, name


@pytest.mark.parametrize("locale", LOCALES)
def test_every_fix_is_complete_and_used(locale: str):
    texts = load_texts(locale)
    used = set()
    for rule in RULE_IDS:
        link = texts.links[rule]
        used |= {link["fix"], *link.get("fix_for", {}).values()}
        own_results = set(BUILT[rule].results) if rule in BUILT else set()
        assert rule not in BUILT or set(link.get("fix_for", {})) <= own_results, rule
    assert used == set(texts.fixes)
    for name in texts.fixes:
        fix = texts.fix(name)
        assert fix.place in PLACES
        assert texts.word(f"place.{fix.place.replace('.', '_')}")
        assert fix.steps
        assert fix.breaks
        assert fix.undo
        assert bool(fix.commands) == bool(fix.shell), name
        assert not fix.shell or texts.word(f"shell.{fix.shell}")
        prose = " ".join((fix.do, *fix.steps, fix.breaks, fix.undo, fix.path))
        assert names_in(prose) <= FIX_VALUES, name
        assert names_in(" ".join((*fix.commands, *fix.undo_commands))) <= FIX_VALUES, name


def test_beyond_the_guide_is_as_the_profile_says():
    texts = load_texts("en")
    assert {entry.id: entry.beyond_guide for entry in PROFILE.rules} == {r: texts.is_beyond(r) for r in RULE_IDS}


@pytest.mark.parametrize("locale", LOCALES)
def test_words_of_the_model_exist(locale: str):
    texts = load_texts(locale)
    assert all(texts.word(f"verdict.{verdict}") for verdict in VERDICTS)
    assert all(texts.word(f"severity.{severity}") for severity in SEVERITIES)
    assert all(texts.exit_line(code) for code in (0, 1, 2, 3, 4, 5, 130))
    assert {item.id for item in PROFILE.items} == set(texts.guide["items"])


def test_unknown_rule_and_result_are_shown_as_they_are():
    texts = load_texts("en")
    finding = made("acme.thing", "odd-result")
    assert texts.title("acme.thing") == "acme.thing"
    assert texts.sentence(finding) == "odd-result"
    assert texts.fix_id("acme.thing", "odd-result") == ""


def test_a_missing_value_never_raises():
    for locale in LOCALES:
        texts = load_texts(locale)
        for rule in RULE_IDS:
            for result in results_of(rule):
                assert texts.sentence(made(rule, result))


@pytest.mark.parametrize(("given", "name"), [("sv", "sv"), ("sv_SE.UTF-8", "sv"), ("en-GB", "en"), ("EN", "en")])
def test_locale_names(given: str, name: str):
    assert normalise_locale(given) == name


def test_a_language_without_texts_is_refused():
    with pytest.raises(ValueError, match="no texts in language 'fr'"):
        load_texts("fr")


def test_commands_take_no_foreign_text():
    values = {"host": ("a.example; rm -rf /",), "tcp_ports": ("5060,5061",)}
    assert fill_command("test {host}", values) == ("test <host>",)
    assert fill_command("x {tcp_ports} {$_.Path}", values) == ("x 5060,5061 {$_.Path}",)
    assert fill_command("x {udp_ports}", {"udp_ports": ()}) == ()


@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("en", "with 95 % certainty at most 58 of 10001 are open"),
        ("sv", "med 95 % säkerhet är högst 58 av 10001 öppna"),
    ],
)
def test_the_coverage_of_a_sample_is_told_in_words(locale: str, told: str):
    coverage = {"ports_asked": 500, "ports_total": 10001, "bound": 58, "bound_percent": 95}
    rejected = {**coverage, "rejected": 14, "bound": 1900}
    texts = load_texts(locale)
    assert told in texts.sentence(finding_of_range("filtered", coverage))
    assert "1900" in (limited := texts.sentence(finding_of_range("no-exposure-seen", rejected)))
    assert "95 %" in limited
    assert "95" not in texts.sentence(finding_of_range("no-exposure-seen", {"ports_asked": 500, "ports_total": 10001}))


def finding_of_range(result: str, params: dict[str, Any]) -> Finding:
    verdict: Literal["pass", "inconclusive"] = "pass" if result == "filtered" else "inconclusive"
    return Finding(
        rule="ports.rtp-unreachable",
        guide=(),
        address="192.0.2.10",
        family="ipv4",
        transport="udp",
        port=None,
        verdict=verdict,
        severity="high",
        confidence="tentative",
        result=result,
        params=params,
    )

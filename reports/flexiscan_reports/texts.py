"""The catalogue: what every rule, result and fix is called in English and Swedish.

`catalogue/common` holds what does not depend on the language (places, commands), `catalogue/<locale>` the prose.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from flexiscan.model.finding import Finding
from flexiscan_reports.derived import derived
from flexiscan_reports.sentence import fill
from flexiscan_reports.visible import show

LOCALES = ("en", "sv")
AREAS = ("ports", "web", "tls", "cert", "dns", "parity", "host")

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fix:
    """How a fault is put right. Commands and paths are the same in every language."""

    place: str
    do: str
    steps: tuple[str, ...]
    breaks: str
    undo: str
    path: str = ""
    """Where to click in the proxy's or IIS's user interface."""
    shell: str = ""
    """Which window the commands belong into, a key of the words."""
    commands: tuple[str, ...] = ()
    undo_commands: tuple[str, ...] = ()

    @property
    def place_key(self) -> str:
        """The place as a key of the words, which are separated by dots."""
        return self.place.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of one language. Nothing raises for an unknown rule or result: its id is shown instead."""

    locale: str
    rules: Table
    links: Table
    """By rule: the fix, other fixes for single results, and fixed values for the sentences."""
    fixes: Table
    results: Table
    words: Table
    guide: Table

    def word(self, key: str, **values: Any) -> str:
        """A word or sentence of the user interface by its dotted key. Raises KeyError when it does not exist."""
        entry: Any = self.words
        for part in key.split("."):
            entry = entry[part]
        return fill(str(entry), values, self.yes_no)

    @property
    def yes_no(self) -> tuple[str, str]:
        """The two words for a true and a false value."""
        return str(self.words["yes"]), str(self.words["no"])

    def count(self, key: str, number: int, **values: Any) -> str:
        """A phrase with a number, singular or plural: the keys `<key>.one` and `<key>.many`."""
        return self.word(f"{key}.{'one' if number == 1 else 'many'}", n=number, **values)

    def exit_line(self, code: int) -> str:
        """An exit code with its meaning."""
        return self.word("page.exit_line", code=code, meaning=str(self.words["exit"].get(str(code), "?")))

    def service(self, name: str) -> str:
        """A protocol as people call it: "SIP" for "sip"."""
        return show(str(self.words["service"].get(name, name)))

    def title(self, rule: str) -> str:
        """What the rule is about, a noun phrase."""
        return str(self.rules.get(rule, {}).get("title", rule))

    def what(self, rule: str) -> str:
        """What is checked."""
        return str(self.rules.get(rule, {}).get("what", ""))

    def why(self, rule: str) -> str:
        """Why it matters on a Flexi server."""
        return str(self.rules.get(rule, {}).get("why", ""))

    def question(self, rule: str) -> str:
        """The question to the administrator, for what cannot be seen from outside."""
        return str(self.rules.get(rule, {}).get("question", ""))

    def sentence(self, finding: Finding) -> str:
        """What was concluded, in words."""
        return fill(self._template(finding.rule, finding.result, "text"), self.values(finding), self.yes_no)

    def advice(self, finding: Finding) -> str:
        """What to do when a question stayed open; empty when there is no advice."""
        return fill(self._template(finding.rule, finding.result, "do"), self.values(finding), self.yes_no)

    def values(self, finding: Finding) -> dict[str, Any]:
        """The values that a sentence about this finding can show."""
        own = {
            "rule": finding.rule,
            "result": finding.result,
            "address": finding.address,
            "port": finding.port,
            "transport": finding.transport,
            "severity": self.word(f"severity.{finding.severity}"),
        }
        values = {**own, **self.fixed_values(finding.rule), **finding.params, **derived(finding.params)}
        if isinstance(values.get("service"), str):
            values["service"] = self.service(values["service"])
        return values

    def fixed_values(self, rule: str) -> Mapping[str, Any]:
        """Values that belong to a rule as such, e.g. the name of the protocol that it is about."""
        values: Mapping[str, Any] = self.links.get(rule, {}).get("values", {})
        return values

    def fix_id(self, rule: str, result: str) -> str:
        """The fix for a result of a rule; empty when there is none."""
        link = self.links.get(rule, {})
        return str(link.get("fix_for", {}).get(result, link.get("fix", "")))

    def fix_ids(self, rule: str, results: frozenset[str]) -> tuple[str, ...]:
        """The fixes for these results of a rule, the rule's own first."""
        own = self.links.get(rule, {}).get("fix", "")
        wanted = {self.fix_id(rule, result) for result in results} | {own}
        return tuple(sorted(wanted - {""}, key=lambda name: (name != own, name)))

    def is_beyond(self, rule: str) -> bool:
        """Whether the rule is good practice that the guide does not ask for."""
        return bool(self.links.get(rule, {}).get("beyond", False))

    def fix(self, name: str) -> Fix:
        """A fix with its marks not yet filled. Raises KeyError when it does not exist."""
        entry = self.fixes[name]
        return Fix(
            place=entry["place"],
            do=entry["do"],
            steps=tuple(entry["steps"]),
            breaks=entry["breaks"],
            undo=entry["undo"],
            path=entry.get("path", ""),
            shell=entry.get("shell", ""),
            commands=tuple(entry.get("commands", ())),
            undo_commands=tuple(entry.get("undo_commands", ())),
        )

    def _template(self, rule: str, result: str, part: str) -> str:
        special = self.rules.get(rule, {}).get("results", {}).get(result)
        of_area = self.results.get(f"{rule.partition('.')[0]}.{result}")
        for entry in (special, of_area, self.results.get(result)):
            if isinstance(entry, str):
                entry = {"text": entry}
            if entry is not None and part in entry:
                return str(entry[part])
        return str(self.words["unknown_result"]) if part == "text" else ""


def normalise_locale(locale: str) -> str:
    """ "sv" for "sv", "sv-SE" or "sv_SE.UTF-8". Raises ValueError for a language without texts."""
    name = locale.replace("_", "-").split("-")[0].split(".")[0].lower()
    if name not in LOCALES:
        raise ValueError(f"no texts in language {locale!r}; there are: {', '.join(LOCALES)}")
    return name


@functools.cache
def load_texts(locale: str) -> Texts:
    """The catalogue of a language. Raises ValueError for a language without texts."""
    name = normalise_locale(locale)
    common = _read("common", "fixes")
    prose = _read(name, "fixes")
    rules: dict[str, Any] = {}
    for area in AREAS:
        rules |= _read(name, area)
    return Texts(
        locale=name,
        rules=rules,
        links=_read("common", "rules"),
        fixes={key: {**common[key], **text} for key, text in prose.items()},
        results=_read(name, "results"),
        words=_read(name, "words"),
        guide=_read(name, "guide"),
    )


def _read(folder: str, name: str) -> dict[str, Any]:
    file = resources.files("flexiscan_reports").joinpath("catalogue", folder, f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))

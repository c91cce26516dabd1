"""Reads the profile, the guide as data, from the TOML files of this package."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from importlib import resources
from typing import Any

from flexiscan.model.profile import GuideItem, PortRow, Profile, RuleEntry

PROFILE_NAME = "datatal-guide"
PROFILE_VERSION = 1


def load_profile() -> Profile:
    """The default profile: the vendor's guide. Raises ValueError when the shipped data contradicts itself."""
    guide = _read("guide.toml")
    rules = tuple(RuleEntry.model_validate(entry) for entry in _read("rules.toml")["rule"])
    rules_of_item: dict[str, list[str]] = defaultdict(list)
    for rule in rules:
        for item in rule.guide:
            rules_of_item[item].append(rule.id)
    items = tuple(_item(entry, tuple(rules_of_item.pop(entry["id"], ()))) for entry in guide["item"])
    if rules_of_item:
        raise ValueError(f"rules.toml names guide items that do not exist: {sorted(rules_of_item)}")
    return Profile(
        name=PROFILE_NAME,
        version=PROFILE_VERSION,
        guide_title=guide["title"],
        guide_release=guide["release"],
        rules=rules,
        ports=tuple(PortRow.model_validate(row) for row in _read("ports.toml")["row"]),
        items=items,
    )


def _item(entry: dict[str, Any], rules: tuple[str, ...]) -> GuideItem:
    why_not = entry.get("why_not", "")
    return GuideItem(
        id=entry["id"],
        section=entry["section"],
        text=entry["text"],
        rules=rules,
        testable=not why_not,
        why_not=why_not,
    )


def _read(name: str) -> dict[str, Any]:
    text = resources.files("flexiscan.policy").joinpath("data", name).read_text(encoding="utf-8")
    return tomllib.loads(text)

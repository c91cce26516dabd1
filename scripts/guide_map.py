"""Prints docs/guide-map.md: every line of the guide and the rules that answer for it."""

from __future__ import annotations

from itertools import groupby

from flexiscan.model.profile import GuideItem, Profile
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rules import RULES

HEAD = """\
# Guide map

Made from `flexiscan/policy/data` by `make docs`; a test holds it to the data.

Guide: *{title}*, release {release}. {items} lines and table rows lead to {rules} rules, of which {built} are built.
A rule that is not built yet appears in every report as *not checked*, never as a pass.

In bold: built. `host.*` rules cannot be seen from outside; the customer attests them in the scope file.
"""


def guide_map(profile: Profile) -> str:
    """The page as Markdown."""
    built = {rule.id for rule in RULES}
    lines = [
        HEAD.format(
            title=profile.guide_title,
            release=profile.guide_release,
            items=len(profile.items),
            rules=len(profile.rules),
            built=len(built),
        )
    ]
    for section, items in groupby(profile.items, key=lambda item: item.section):
        lines.extend(["", f"## {section}", "", "| Line of the guide | Rules |", "|---|---|"])
        lines.extend(_row(item, built) for item in items)
    lines.extend(["", "## Rules", "", "| Rule | Severity | Asked for by | Built |", "|---|---|---|---|"])
    for entry in profile.rules:
        asked = "good practice beyond the guide" if entry.beyond_guide else ", ".join(entry.guide)
        state = "attested" if entry.id.startswith("host.") else ("yes" if entry.id in built else "not yet")
        lines.append(f"| `{entry.id}` | {entry.severity} | {asked} | {state} |")
    return "\n".join(lines) + "\n"


def _row(item: GuideItem, built: set[str]) -> str:
    rules = ", ".join(f"**`{rule}`**" if rule in built else f"`{rule}`" for rule in item.rules)
    text = item.text.replace("|", "\\|")
    note = f" *({item.why_not})*" if item.why_not else ""
    return f"| {text}{note} | {rules} |"


if __name__ == "__main__":
    print(guide_map(load_profile()), end="")

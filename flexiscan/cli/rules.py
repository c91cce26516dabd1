"""`flexiscan rules`, `explain` and `schema`: what is judged, why, and the shape of the result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from flexiscan.cli.options import LANGUAGES
from flexiscan.errors import UsageError

if TYPE_CHECKING:
    from flexiscan.model.profile import Profile


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def rules(as_json: bool) -> None:
    """List every rule with its severity and the lines of the guide that ask for it."""
    from flexiscan.policy.profile import load_profile
    from flexiscan.policy.rules import RULES

    profile = load_profile()
    built = {rule.id for rule in RULES}
    if as_json:
        entries = [{**entry.model_dump(), "built": _is_built(entry.id, built)} for entry in profile.rules]
        click.echo(json.dumps(entries, indent=2))
        return
    width = max(len(entry.id) for entry in profile.rules)
    for entry in profile.rules:
        note = "" if _is_built(entry.id, built) else "  (not built yet)"
        click.echo(f"{entry.id:{width}}  {entry.severity:8}  {', '.join(entry.guide)}{note}")


def _is_built(rule: str, built: set[str]) -> bool:
    return rule in built or rule.startswith("host.")


@click.command(epilog="Example: flexiscan explain web.admin-unreachable")
@click.argument("rule")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
def explain(rule: str, lang: str) -> None:
    """Explain one rule: what is looked at, why it matters, how to fix it, what can come of it."""
    from flexiscan.engine.registry import load_explainer
    from flexiscan.policy.profile import load_profile
    from flexiscan.policy.rules import RULES

    profile = load_profile()
    try:
        entry = profile.entry(rule)
    except KeyError:
        raise UsageError(f"there is no rule {rule!r}", _suggestion(rule, profile)) from None
    built = {known.id: known for known in RULES}.get(rule)
    items = {item.id: item for item in profile.items}
    results = dict(built.results) if built else {}
    lines = [f"{items[name].section}: {items[name].text}" for name in entry.guide]
    click.echo(load_explainer()(entry, results, lines, lang))


def _suggestion(rule: str, profile: Profile) -> str:
    from difflib import get_close_matches

    close = get_close_matches(rule, [entry.id for entry in profile.rules], n=3)
    return f"did you mean {', '.join(close)}?" if close else "see: flexiscan rules"


@click.command()
def schema() -> None:
    """Print the JSON Schema (2020-12) of the result document."""
    from flexiscan.model.result import ResultDocument

    document = ResultDocument.model_json_schema(mode="serialization")
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    click.echo(json.dumps(document, indent=2))

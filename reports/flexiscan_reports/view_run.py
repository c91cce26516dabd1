"""The run in words: from where, when, how long, at which pace, with whose permission."""

from __future__ import annotations

import datetime as dt

from flexiscan.model.endpoint import FAMILIES
from flexiscan.model.result import Guide, ResultDocument, RunFacts, Vantage
from flexiscan_reports.moment import duration, local_and_utc
from flexiscan_reports.sentence import plain
from flexiscan_reports.texts import Texts
from flexiscan_reports.view_model import Fact
from flexiscan_reports.view_raw import capture_line
from flexiscan_reports.visible import show


def sources(vantage: Vantage, texts: Texts) -> tuple[str, ...]:
    """From where: one line for each family, also for one that cannot be used."""
    lines = []
    for family in FAMILIES:
        reach = getattr(vantage, family)
        name = texts.word(f"family.{family}")
        if not reach.usable:
            lines.append(texts.word("page.cannot_use", family=name))
        elif reach.source_address:
            lines.append(texts.word("page.source", family=name, address=reach.source_address))
        else:
            lines.append(texts.word("page.source_unknown", family=name))
    if vantage.sight == "limited":
        lines.append(texts.word("page.sight_limited"))
    if vantage.source_prefix:
        lines.append(texts.word("page.source_prefix", prefix=vantage.source_prefix))
    return tuple(lines)


def took(run: RunFacts, texts: Texts) -> str:
    """How long the run took, or that it did not end."""
    if run.ended is None:
        return texts.word("page.still_running")
    seconds = (run.ended - run.started).total_seconds()
    return texts.word("page.took", duration=duration(seconds, texts.locale))


def guide_line(guide: Guide, texts: Texts) -> str:
    """Which edition of the guide."""
    return texts.word("page.guide_line", title=guide.title, release=guide.release)


def run_facts(document: ResultDocument, texts: Texts, zone: dt.tzinfo | None) -> tuple[Fact, ...]:
    """Everything about the run that a consultant asks for; empty values are left out."""
    run, allowed = document.run, document.authorisation
    when = f"{local_and_utc(run.started, texts.locale, zone)}, {took(run, texts)}"
    until = "" if allowed.valid_until is None else allowed.valid_until.isoformat()
    pairs = (
        ("when", when),
        ("depth", texts.word(f"depth.{run.depth}")),
        ("pace", "; ".join(_pace(name, cap, texts) for name, cap in run.pace.items())),
        ("allowed_by", allowed.authorised_by),
        ("customer", allowed.customer),
        ("contact", allowed.contact),
        ("reference", allowed.reference),
        ("valid_until", until),
        ("scope_digest", allowed.scope_sha256 or ""),
        ("guide", guide_line(document.guide, texts)),
        ("tool", f"{document.tool.name} {document.tool.version}"),
        ("run_id", run.id),
        ("seed", str(run.seed)),
        ("raw", texts.word("page.raw_used") if run.raw else ""),
        ("packets", capture_line(run, texts)),
        ("exit_code", texts.exit_line(document.exit_code)),
    )
    return tuple(Fact(texts.word(f"page.{key}"), show(value)) for key, value in pairs if value)


def _pace(name: str, cap: int, texts: Texts) -> str:
    return f"{cap} {texts.words['pace'].get(name, plain(name))}"

"""The terminal summary: failures and open questions, the verdict in the last line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flexiscan.model.renderer import RendererSpec, RenderOptions
from flexiscan.model.result import ResultDocument
from flexiscan_reports.text_layout import Layout
from flexiscan_reports.text_plain import plain_lines
from flexiscan_reports.text_width import pad, width_of
from flexiscan_reports.texts import Texts, load_texts
from flexiscan_reports.view import build_view
from flexiscan_reports.view_model import HostView, Job, Reason, ReportView, Sighting, Topic

MAX_SIGHTINGS = 3
MAX_TOPICS = 6
"""Of one topic, and of one reason, that the summary names unless asked for all."""


def render(document: ResultDocument, options: RenderOptions) -> bytes:
    """The summary as UTF-8: `width` columns, or one sentence a line when `plain`."""
    texts = load_texts(options.locale)
    view = build_view(document, texts)
    lines = plain_lines(view, texts, options) if options.plain else _summary(view, texts, options)
    return ("\n".join(lines) + "\n").encode("utf-8")


def _summary(view: ReportView, texts: Texts, options: RenderOptions) -> list[str]:
    layout = Layout(texts, max(40, options.width), options.color)
    lines: list[str] = []
    for host in view.hosts:
        lines += [*_head(view, host, layout), "", *_body(host, layout, options.verbose)]
        lines += [*_foot(host, layout, options.verbose), ""]
    return [*lines, *_last(view, layout, options)]


def _head(view: ReportView, host: HostView, layout: Layout) -> list[str]:
    texts = layout.texts
    sources = texts.word("text.seen_from", sources="; ".join(view.sources))
    lines = layout.paragraph(f"{host.host}   {view.when_short}, {view.took}")
    lines += layout.paragraph(view.guide, "  ")
    lines += layout.paragraph(sources, "  ")
    if view.capture:
        lines += layout.paragraph(f"{texts.word('page.packets')}: {view.capture}", "  ")
    widest = max((width_of(line.address) for line in host.addresses), default=0)
    for line in host.addresses:
        tally = ", ".join(texts.count(f"cell.{counter.mark.kind}", counter.number) for counter in line.counters)
        told = f"{line.note}; {tally}" if line.note and tally else line.note or tally
        lines += layout.paragraph(f"{line.family}  {pad(line.address, widest)}  {told}", "  ")
    return lines


def _body(host: HostView, layout: Layout, verbose: bool) -> list[str]:
    lines: list[str] = []
    for job in host.jobs:
        lines += _job(job, layout, verbose)
    for reason in host.open:
        lines += _open(reason, layout, verbose)
    if verbose:
        for topic in host.passes:
            lines += layout.signed("pass", topic.rule)
            lines += _sightings(topic.sightings, layout, verbose)
    return lines


def _job(job: Job, layout: Layout, verbose: bool) -> list[str]:
    lines: list[str] = []
    for topic in job.topics:
        lines += layout.signed("fail", f"{layout.severity(topic.severity)}{topic.rule}", topic.severity_kind)
        lines += _sightings(topic.sightings, layout, verbose)
    return lines + layout.indented(layout.texts.word("text.fix", place=job.place_short, do=job.do))


def _open(reason: Reason, layout: Layout, verbose: bool) -> list[str]:
    texts = layout.texts
    lines = layout.signed("inconclusive", reason.sentence)
    kept = reason.topics if verbose else reason.topics[:MAX_TOPICS]
    named = [f"{topic.rule} {_short(topic)}".rstrip() for topic in kept]
    left = len(reason.topics) - len(kept)
    named += [texts.word("and_more", n=left)] if left else []
    lines += layout.indented("; ".join(named))
    return lines + (layout.indented(texts.word("text.helps", do=reason.advice)) if reason.advice else [])


def _short(topic: Topic) -> str:
    return "; ".join(dict.fromkeys(sighting.short for sighting in topic.sightings if sighting.short))


def _sightings(sightings: Sequence[Sighting], layout: Layout, verbose: bool) -> list[str]:
    kept = sightings if verbose else sightings[:MAX_SIGHTINGS]
    lines: list[str] = []
    for sighting in kept:
        lines += layout.indented(f"{sighting.short}: {sighting.sentence}" if sighting.short else sighting.sentence)
    left = len(sightings) - len(kept)
    return lines + (layout.indented(layout.texts.word("and_more", n=left)) if left else [])


def _foot(host: HostView, layout: Layout, verbose: bool) -> list[str]:
    texts = layout.texts
    notes: list[str] = []
    if host.passes and not verbose:
        number = sum(counter.number for counter in host.counters if counter.mark.kind == "pass")
        notes.append(texts.count("text.passes_hidden", number))
    if host.not_checked:
        number = sum(len(reason.topics) for reason in host.not_checked)
        reasons = ", ".join(_reason_count(reason, texts) for reason in host.not_checked)
        notes.append(f"{texts.count('text.not_checked', number)} ({reasons})")
    unanswered = [question for question in host.questions if not question.attested]
    if unanswered:
        notes.append(texts.count("text.ask", len(unanswered)))
    return layout.paragraph("; ".join(notes) + ".") if notes else []


def _reason_count(reason: Reason, texts: Texts) -> str:
    short = texts.words["reason_short"].get(reason.result, reason.result)
    return texts.word("text.reasons", n=len(reason.topics), reason=short)


def _last(view: ReportView, layout: Layout, options: RenderOptions) -> list[str]:
    """Verdict, files and exit code: the exit code always ends the text."""
    parts: Iterable[str] = (view.verdict_sentence, *layout.files(options.written))
    code = layout.texts.word("text.exit", code=view.exit_code)
    return layout.verdict("  ".join((*parts, code)), view.verdict.kind)


SPEC = RendererSpec(format="text", suffix=".txt", render=render)

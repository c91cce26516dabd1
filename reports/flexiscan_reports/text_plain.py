"""The summary for screen readers and mail: one sentence a line, no columns, no signs."""

from __future__ import annotations

from flexiscan.model.renderer import RenderOptions
from flexiscan_reports.texts import Texts
from flexiscan_reports.view_model import HostView, ReportView, Topic
from flexiscan_reports.visible import show


def plain_lines(view: ReportView, texts: Texts, options: RenderOptions) -> list[str]:
    """The verdict first, then everything that it rests on."""
    lines = [view.verdict_sentence]
    for host in view.hosts:
        lines += _host_lines(view, host, texts, options.verbose)
    if options.written:
        lines.append(texts.word("text.files", files=", ".join(show(name) for name in options.written)))
    meaning = str(texts.words["exit"].get(str(view.exit_code), ""))
    lines.append(texts.word("text.exit_sentence", code=view.exit_code, meaning=meaning))
    return lines


def _host_lines(view: ReportView, host: HostView, texts: Texts, verbose: bool) -> list[str]:
    lines = [texts.word("text.plain_host", host=host.host, when=view.when)]
    lines += [host.verdict_sentence] if len(view.hosts) > 1 else []
    lines += [host.also] if host.also else []
    for job in host.jobs:
        for topic in job.topics:
            lines += _topic_lines("text.plain_fail", topic, texts)
        lines.append(texts.word("text.plain_fix", place=job.place_short, do=job.do))
    for reason in host.open:
        rules = ", ".join(topic.rule for topic in reason.topics)
        lines.append(texts.word("text.plain_open", sentence=reason.sentence, rules=rules))
        lines += [reason.advice] if reason.advice else []
    if verbose:
        for topic in host.passes:
            lines += _topic_lines("text.plain_pass", topic, texts)
    counts = {counter.mark.kind: counter.number for counter in host.counters}
    told = {"pass": counts["pass"], "fail": counts["fail"], "open": counts["inconclusive"]}
    lines.append(texts.word("text.plain_counts", **told, unchecked=counts["not_checked"], small=host.small))
    return lines


def _topic_lines(key: str, topic: Topic, texts: Texts) -> list[str]:
    return [
        texts.word(
            key,
            severity=topic.severity,
            title=topic.title,
            rule=topic.rule,
            places=", ".join(sighting.places),
            sentence=sighting.sentence,
        )
        for sighting in topic.sightings
    ]

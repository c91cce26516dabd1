"""Gathers findings: one topic for a rule, one sighting for a conclusion, with all places that it was drawn at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from flexiscan.model.finding import SEVERITIES, Finding, Severity
from flexiscan_reports.texts import Texts
from flexiscan_reports.view_model import Mark, Sighting, Topic
from flexiscan_reports.visible import show

CONFIDENCES = ("confirmed", "firm", "tentative")


def rank(severity: Severity) -> int:
    """0 for critical, growing towards info."""
    return SEVERITIES.index(severity)


def worst(findings: Iterable[Finding]) -> Severity:
    """The highest severity among findings; info when there are none."""
    return min((finding.severity for finding in findings), key=rank, default="info")


def mark_of(kind: str, texts: Texts) -> Mark:
    """A status with its word."""
    return Mark(kind, texts.word(f"verdict.{kind}"))


def by_rule(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by rule, in the order in which the rules first appear."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule, []).append(finding)
    return groups


def topic_of(rule: str, findings: Sequence[Finding], texts: Texts, host: str, anchor: Callable[[str], str]) -> Topic:
    """One rule with its sightings. `findings` are those of that rule and are not empty."""
    severity = worst(findings)
    guide = dict.fromkeys(item for finding in findings for item in finding.guide)
    return Topic(
        rule=show(rule),
        anchor=anchor(rule),
        title=show(texts.title(rule)),
        severity=texts.word(f"severity.{severity}"),
        severity_kind=severity,
        beyond=texts.is_beyond(rule),
        what=texts.what(rule),
        why=texts.why(rule),
        sightings=sightings_of(findings, texts, host),
        guide=tuple(show(str(texts.guide["items"].get(item, item))) for item in guide),
    )


def sightings_of(findings: Iterable[Finding], texts: Texts, host: str) -> tuple[Sighting, ...]:
    """Equal conclusions put together, the surest first."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.verdict, texts.sentence(finding), finding.confidence), []).append(finding)
    merged = [_merge(group, texts, host) for group in groups.values()]
    order = {texts.word(f"confidence.{name}"): place for place, name in enumerate(CONFIDENCES)}
    return tuple(sorted(merged, key=lambda sighting: order[sighting.confidence]))


def _merge(group: Sequence[Finding], texts: Texts, host: str) -> Sighting:
    first = group[0]
    return Sighting(
        sentence=texts.sentence(first),
        places=places_of(group, texts, host),
        short=short_places(group),
        confidence=texts.word(f"confidence.{first.confidence}"),
        mark=mark_of(first.verdict, texts),
        result=show(first.result),
        advice=texts.advice(first),
        because=tuple(dict.fromkeys(item for finding in group for item in finding.because)),
    )


def places_of(findings: Iterable[Finding], texts: Texts, host: str) -> tuple[str, ...]:
    """Where: "192.0.2.10 port 443/tcp, 4443/tcp" for each address, the host's name for the host as a whole."""
    ports: dict[str, list[str]] = {}
    for finding in findings:
        if finding.address is not None:
            place = show(finding.address)
        elif finding.family is not None:
            place = texts.word(f"family.{finding.family}")
        else:
            place = show(host)
        known = ports.setdefault(place, [])
        if finding.port is not None:
            known.append(port_label(finding))
        elif finding.transport is not None:
            known.append(finding.transport.upper())
    return tuple(_place(place, list(dict.fromkeys(known))) for place, known in ports.items())


def short_places(findings: Iterable[Finding]) -> str:
    """ "v4,v6 443/tcp, 4443/tcp; v6 80/tcp": which families show which ports."""
    families: dict[str, dict[str, None]] = {}
    for finding in findings:
        if finding.family is not None:
            port = port_label(finding) if finding.port is not None else finding.transport or ""
            families.setdefault(port, {})[finding.family.replace("ip", "")] = None
    ports: dict[str, list[str]] = {}
    for port, seen in families.items():
        ports.setdefault(",".join(sorted(seen)), []).append(port)
    return "; ".join(f"{family} {', '.join(known)}".rstrip() for family, known in ports.items())


def port_label(finding: Finding) -> str:
    """ "5060/udp"."""
    return f"{finding.port}/{finding.transport or 'tcp'}"


def unique_anchors(prefix: str) -> Callable[[str], str]:
    """Gives out anchors, stable for the same document, and never the same twice."""
    given: dict[str, int] = {}

    def anchor(name: str) -> str:
        base = prefix + "".join(c if c.isascii() and (c.isalnum() or c in ".-_") else "-" for c in name)
        given[base] = given.get(base, 0) + 1
        return base if given[base] == 1 else f"{base}-{given[base]}"

    return anchor


def without_anchor(_: str) -> str:
    """For topics that nothing links to."""
    return ""


def with_sightings(topic: Topic, sightings: tuple[Sighting, ...]) -> Topic:
    """The same topic with other sightings."""
    return replace(topic, sightings=sightings)


def _place(place: str, ports: list[str]) -> str:
    numbered = [port for port in ports if port[0].isdigit()]
    if numbered:
        return f"{place} port {', '.join(numbered)}"
    return f"{place} {', '.join(ports)}".rstrip()

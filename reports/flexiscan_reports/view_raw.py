"""What raw sockets showed, as evidence: headers of answers, and ICMP errors with what they quote."""

from __future__ import annotations

from flexiscan.model.facts_raw import IcmpCapture, QuotedPacket, SynAnswer, SynProbe
from flexiscan.model.icmp import IcmpError
from flexiscan.model.result import RunFacts
from flexiscan_reports.texts import Texts
from flexiscan_reports.visible import show

MAX_NOTES = 12

Telling = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""As in flexiscan_reports.view_evidence."""


def tell_syn(fact: SynProbe, texts: Texts) -> Telling:
    """A half-open probe: its outcome, then each answer."""
    told = texts.word("seen.syn", tries=fact.tries, state=fact.state, waited=f"{fact.waited_s:.2f}")
    return (told, *(line for answer in fact.answers for line in _answer(answer, texts))), ()


def tell_capture(fact: IcmpCapture, texts: Texts) -> Telling:
    """The ICMP errors about one address, the first dozen kinds."""
    count = sum(note.count for note in fact.notes) + fact.left_out
    lines = tuple(
        f"{note.count} × {_icmp(note.icmp, texts)}; {_quoted(note.quoted, texts)}" for note in fact.notes[:MAX_NOTES]
    )
    return (texts.word("seen.captured", count=count, left_out=fact.left_out or None), *lines), ()


def capture_line(run: RunFacts, texts: Texts) -> str:
    """The capture file of a run with raw sockets; empty for a run without."""
    capture = run.packets
    if not run.raw:
        return ""
    if capture is None:
        return texts.word("page.no_capture")
    state = "capped" if capture.is_capped else "" if capture.is_whole else "torn"
    return texts.word(
        "page.capture",
        file=show(capture.file),
        packets=capture.packets,
        size=capture.size_bytes,
        lost=capture.lost or None,
        left_out=capture.left_out or None,
        state=texts.word(f"page.{state}") if state else None,
    )


def _answer(answer: SynAnswer, texts: Texts) -> tuple[str, ...]:
    told = texts.word(
        "seen.syn_answer",
        answer=answer.answer if answer.icmp is None else _icmp(answer.icmp, texts),
        after=f"{answer.after_s:.4f}",
        hop_limit=answer.hop_limit,
        ip_id=answer.ip_id,
        window=answer.window,
        options=" ".join(show(option) for option in answer.options) or None,
    )
    return (told,) if answer.quoted is None else (told, _quoted(answer.quoted, texts))


def _quoted(quoted: QuotedPacket, texts: Texts) -> str:
    return texts.word(
        "seen.quoted",
        transport=quoted.transport,
        source_port=quoted.source_port,
        port=quoted.port,
        hop_limit=quoted.hop_limit,
        ip_id=quoted.ip_id,
        length=quoted.length_bytes,
    )


def _icmp(error: IcmpError, texts: Texts) -> str:
    return texts.word(
        "seen.icmp", type=error.icmp_type, code=error.code, meaning=error.meaning, offender=error.offender
    )

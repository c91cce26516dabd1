"""What raw sockets showed, told: reply TTL, IP ID, quoted headers, and the capture with its state."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flexiscan.model.facts import Fact
from flexiscan.model.facts_raw import IcmpCapture, IcmpNote, PacketCapture, QuotedPacket, SynAnswer, SynProbe
from flexiscan.model.icmp import IcmpError
from flexiscan.model.observation import Observation
from flexiscan.model.renderer import RenderOptions
from flexiscan.model.result import ResultDocument
from flexiscan_reports.html import render as render_html
from flexiscan_reports.markdown import render as render_markdown
from flexiscan_reports.text import render as render_text
from flexiscan_reports.texts import load_texts
from flexiscan_reports.view_evidence import exhibit_of
from flexiscan_reports.view_raw import capture_line
from tests.reports.sample_documents import good_document

AT = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
ERROR = IcmpError(family="ipv4", icmp_type=3, code=13, offender="192.0.2.1", hop_limit=64)
QUOTED = QuotedPacket(transport="tcp", source_port=50000, port=5060, hop_limit=63, ip_id=7, length_bytes=60)
WHOLE = PacketCapture(file="packets.pcap", packets=1234, size_bytes=56789, is_whole=True)


def told(fact: Fact, locale: str = "en") -> str:
    observation = Observation(id="o", started=AT, ended=AT, outcome=fact)
    return "\n".join(exhibit_of(observation, load_texts(locale), str).what)


def raw_document(capture: PacketCapture | None) -> ResultDocument:
    document = good_document()
    run = document.run.model_copy(update={"raw": True, "packets": capture})
    return document.model_copy(update={"run": run})


@pytest.mark.parametrize("locale", ["en", "sv"])
def test_headers_of_an_answer_are_shown(locale: str):
    answer = SynAnswer(
        answer="accepted", hop_limit=57, ip_id=4711, window=8192, options=("MSS=1460", "SAckOK"), after_s=0.0312
    )
    text = told(SynProbe(answers=(answer,), tries=1, waited_s=0.33), locale)
    for part in ("57", "4711", "8192", "MSS=1460 SAckOK", "0.0312"):
        assert part in text


def test_what_an_error_quotes_is_shown():
    refused = SynAnswer(answer="icmp", hop_limit=64, after_s=0.01, icmp=ERROR, quoted=QUOTED)
    text = told(SynProbe(answers=(refused,)))
    assert "ICMP type 3 code 13 (prohibited) from 192.0.2.1" in text
    assert "to port 5060, hop limit 63 left, IP ID 7, 60 bytes" in text


def test_errors_are_counted_by_kind():
    text = told(IcmpCapture(notes=(IcmpNote(icmp=ERROR, quoted=QUOTED, count=3),), left_out=2))
    assert "5, 2 of them only counted" in text
    assert "3 × ICMP type 3" in text


def test_silence_is_silence():
    assert "5 sent: silence" in told(SynProbe(tries=5, waited_s=5.02))


@pytest.mark.parametrize("render", [render_html, render_markdown, render_text])
@pytest.mark.parametrize("locale", ["en", "sv"])
def test_every_report_names_the_capture(render: Any, locale: str):
    page = render(raw_document(WHOLE), RenderOptions(locale=locale)).decode("utf-8")
    assert "packets.pcap" in page
    assert "1234" in page
    assert "packets.pcap" not in render(good_document(), RenderOptions(locale=locale)).decode("utf-8")


@pytest.mark.parametrize(
    ("capture", "words"),
    [
        (None, "cut short"),
        (WHOLE.model_copy(update={"is_whole": False}), "not closed in good order"),
        (WHOLE.model_copy(update={"is_capped": True, "left_out": 9}), "9 not kept, it had reached its largest size"),
        (WHOLE.model_copy(update={"lost": 3}), "3 lost"),
    ],
)
def test_a_capture_that_is_not_everything_says_so(capture: PacketCapture | None, words: str):
    assert words in capture_line(raw_document(capture).run, load_texts("en"))


def test_hostile_options_are_data():
    answer = SynAnswer(answer="reset", hop_limit=1, options=("\x1b[31m\u202e",), after_s=0)
    assert "\x1b" not in told(SynProbe(answers=(answer,)))

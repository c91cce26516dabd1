"""The terminal summary: width, last line, colour, plain sentences, nothing that a terminal would obey."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.renderer import RenderOptions
from flexiscan_reports.text import SPEC, render
from flexiscan_reports.text_width import pad, width_of, wrap
from tests.reports.sample_documents import (
    bad_document,
    complete_document,
    good_document,
    hostile_document,
    incomplete_document,
    several_hosts_document,
    unresolved_document,
)

ALL = (
    good_document,
    complete_document,
    bad_document,
    incomplete_document,
    unresolved_document,
    several_hosts_document,
    hostile_document,
)
ESCAPE = re.compile("\x1b\\[[0-9;]*m")


def lines_of(make, **options: Any) -> list[str]:
    return render(make(), RenderOptions(**options)).decode("utf-8").split("\n")[:-1]


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("locale", ["en", "sv"])
@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", [80, 60, 120])
def test_no_line_is_wider_than_asked(make, locale: str, verbose: bool, width: int):
    written = ("out/report.html", "/a/very/long/path/that/nobody/can/read/in/one/line/at/all/of/a/terminal/result.json")
    for line in lines_of(make, locale=locale, verbose=verbose, width=width, written=written):
        assert width_of(line) <= width, line
        assert line == line.rstrip()


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("plain", [False, True])
def test_nothing_is_obeyed_by_a_terminal(make, plain: bool):
    text = "\n".join(lines_of(make, verbose=True, plain=plain))
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c != "\n" for c in text)


def test_the_last_lines_hold_verdict_files_and_exit_code():
    lines = lines_of(bad_document, written=("report.html", "result.json"))
    assert lines[-2] == "Not safe to leave as is: 9 things to fix.  report.html  result.json  exit 1" or lines[-1] == (
        "Not safe to leave as is: 9 things to fix.  report.html  result.json  exit 1"
    )
    for make in ALL:
        assert lines_of(make)[-1].endswith(f"exit {make().exit_code}")


def test_failures_come_with_rule_place_sentence_and_fix():
    text = "\n".join(lines_of(bad_document))
    assert "x FAIL  critical  web.admin-unreachable" in text
    assert "v4,v6 4443/tcp: Reachable: /admin/ asks for a logon (status 200)." in text
    assert "fix (IIS): Block /admin for everybody but the server itself in IIS." in text
    first, later = text.index("critical"), text.index("  low  ")
    assert first < later


def test_passes_are_folded_until_asked_for():
    folded, shown = lines_of(good_document), lines_of(good_document, verbose=True)
    assert not any(line.startswith("+ PASS") for line in folded)
    assert any("108 passes not shown (-v shows them)" in line for line in folded)
    assert sum(line.startswith("+ PASS") for line in shown) > 30


def test_what_was_not_checked_is_counted_with_reasons():
    text = " ".join(lines_of(good_document))
    assert "50 checks not run (49 not yet built, 1 nothing declared); 10 questions for the administrator." in text


def test_an_open_question_says_what_helps():
    text = " ".join(" ".join(lines_of(incomplete_document)).split())
    assert "? OPEN Could not be looked at: the scanner's machine has no IPv6." in text
    assert "try: Scan from a place that has IPv6." in text
    assert "and 28 more" in text


@pytest.mark.parametrize("make", ALL)
def test_colour_adds_nothing_but_colour(make):
    plain, colored = lines_of(make), lines_of(make, color=True)
    assert [ESCAPE.sub("", line) for line in colored] == plain
    assert any(ESCAPE.search(line) for line in colored)
    assert all(line.count("\x1b[0m") * 2 == line.count("\x1b[") for line in colored)


def test_plain_is_one_sentence_a_line_verdict_first():
    lines = lines_of(bad_document, plain=True, written=("report.html",))
    assert lines[0] == "Not safe to leave as is: 9 things to fix."
    assert lines[-2:] == [
        "Files: report.html.",
        "Exit code 1: at least one failure at or above the chosen severity.",
    ]
    assert all(line[-1] in ".:)" for line in lines), [line for line in lines if line[-1] not in ".:)"]
    assert not any(line.startswith((" ", "x ", "? ", "+ ")) for line in lines)


def test_swedish():
    lines = lines_of(bad_document, locale="sv")
    text = "\n".join(lines)
    assert "x UNDERKÄNT  kritisk  web.admin-unreachable" in text
    assert lines[-1].endswith("slutkod 1")


def test_every_host_is_there():
    text = "\n".join(lines_of(several_hosts_document))
    for host in ("flexi.example.se", "flexi2.example.se", "old.example.se"):
        assert f"{host}   2026-11-23" in text
    assert "2 of 3 hosts are not safe to leave as they are." in text


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("漢字", 4), ("a\u0308", 1), ("", 0), ("👩", 2), ("e\u0301\u0302", 1)]
)
def test_width(text: str, width: int):
    assert width_of(text) == width
    assert width_of(pad(text, 10)) == 10


def test_wrap_keeps_gaps_within_a_line_and_cuts_long_words():
    assert wrap("one  two three", 9, "> ", "  ") == ["> one", "  two", "  three"]
    assert wrap("one  two three", 20) == ["one  two three"]
    assert wrap("x" * 10, 4) == ["xxxx", "xxxx", "xx"]
    assert wrap("漢" * 5, 5) == ["漢漢", "漢漢", "漢"]
    assert wrap("", 10, "> ") == [">"]


@given(st.text(max_size=200), st.integers(10, 80))
def test_wrap_never_exceeds_and_loses_nothing(text: str, width: int):
    shown = " ".join(text.split())
    lines = wrap(shown, width, "* ", "  ")
    assert all(width_of(line) <= width for line in lines)
    assert "".join("".join(lines).split()).replace("*", "", 1) == "".join(shown.split())


def test_spec():
    assert (SPEC.format, SPEC.suffix, SPEC.render) == ("text", ".txt", render)

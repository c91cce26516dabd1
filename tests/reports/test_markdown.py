"""The Markdown report: the same content, and nothing that a target sent becomes markup."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.renderer import RenderOptions
from flexiscan_reports.markdown import SPEC, code, escape, fence, render
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
CELL = re.compile(r"(?<!\\)\|")


def prose_of(make, locale: str = "en") -> list[str]:
    """The lines outside code blocks; every block must be closed."""
    lines: list[str] = []
    closing = ""
    for line in render(make(), RenderOptions(locale=locale)).decode("utf-8").split("\n"):
        if closing:
            closing = "" if line == closing else closing
        elif line.startswith("```"):
            closing = re.match("`+", line)[0]  # type: ignore[index]
        else:
            lines.append(line)
    assert closing == ""
    return lines


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("locale", ["en", "sv"])
def test_prose_holds_no_foreign_markup(make, locale: str):
    for line in prose_of(make, locale):
        without_code = re.sub(r"(`+)(?:.*?[^`])\1(?!`)", "", line)
        assert "<" not in without_code, line
        assert not re.search(r"(?<!\\)\](?=[(\[:])", without_code), line
        assert "://" not in re.sub(r"\\:", "", without_code), line
        assert line == line.rstrip()


@pytest.mark.parametrize("make", ALL)
def test_headings_are_ours(make):
    headings = [line for line in prose_of(make) if line.startswith("#")]
    assert sum(line.startswith("# ") for line in headings) == 1
    levels = [len(line) - len(line.lstrip("#")) for line in headings]
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert not any("Heading" in line for line in headings)


@pytest.mark.parametrize("make", ALL)
def test_tables_are_regular(make):
    rows = [line for line in prose_of(make) if line.startswith("|")]
    assert rows
    assert {len(CELL.findall(row)) for row in rows} == {5}


def test_content_is_that_of_the_report():
    text = render(bad_document(), RenderOptions()).decode("utf-8")
    for wanted in (
        "**Not safe to leave as is: 9 things to fix.**",
        "##### critical: Block /admin for everybody but the server itself in IIS.",
        "- Reachable: /admin/ asks for a logon (status 200). (192.0.2.10 port 4443/tcp; ",
        "- [ ] **Antivirus software**: Is antivirus software running",
        "SIP/2.0 200 OK",
    ):
        assert wanted in text, wanted


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a*b_c`d[e](f)|g~h\\", "a\\*b\\_c\\`d\\[e\\](f)\\|g\\~h\\\\"),
        ("<b>&amp;", "&lt;b>&amp;amp;"),
        ("# head", "\\# head"),
        ("1. item", "1&#8203;. item"),
        ("192.0.2.10", "192.0.2.10"),
        ("- item", "\\- item"),
        ("http://x www.y.se a@b.se", "http\\://x www\\.y.se a@&#8203;b.se"),
    ],
)
def test_escape(text: str, safe: str):
    assert escape(text) == safe


@given(st.text("`ab\n ", max_size=60))
def test_code_cannot_be_left(text: str):
    block = fence(text)
    line = block.split("\n")[-1]
    assert set(line) == {"`"}
    assert line not in text.split("\n")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    assert len(line) > longest
    span = code(text.replace("\n", " "))
    assert len(re.match("`+", span)[0]) > longest  # type: ignore[index]


def test_spec():
    assert (SPEC.format, SPEC.suffix, SPEC.render) == ("markdown", ".md", render)

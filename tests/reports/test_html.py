"""The HTML report: well formed, no script, nothing fetched, everything hostile escaped, usable without a mouse."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from flexiscan.model.renderer import RenderOptions
from flexiscan_reports.html import SPEC, render
from tests.reports.sample_documents import (
    HOSTILE,
    bad_document,
    complete_document,
    document,
    good_document,
    hostile_document,
    incomplete_document,
    several_hosts_document,
    target,
    unresolved_document,
)
from tests.reports.sample_findings import V4, V6, finding, http, observe

ALL = (
    good_document,
    complete_document,
    bad_document,
    incomplete_document,
    unresolved_document,
    several_hosts_document,
    hostile_document,
)
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
FORBIDDEN = {"script", "img", "link", "iframe", "object", "embed", "form", "base", "audio", "video", "image"}
HEADINGS = re.compile(r"h[1-6]")
MAX_BYTES = 300_000


@dataclass
class Page(HTMLParser):
    """Reads a page strictly: every start tag must have its end tag, in order."""

    html: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    style: str = ""
    title: str = ""
    doctype: str = ""
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()
        assert self.open == []

    def __hash__(self) -> int:
        return id(self)

    def handle_decl(self, decl: str) -> None:
        self.doctype = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        elif self.open and self.open[-1] == "title":
            self.title += data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attrs["id"] for _, attrs in self.tags if "id" in attrs]


def page_of(make, locale: str = "en") -> Page:
    return Page(render(make(), RenderOptions(locale=locale)).decode("utf-8"))


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("locale", ["en", "sv"])
def test_page_is_whole_and_asks_for_nothing(make, locale: str):
    page = page_of(make, locale)
    assert page.html.startswith("<!DOCTYPE html>")
    assert page.all("html") == [{"lang": locale}]
    for tag, attrs in page.tags:
        assert tag not in FORBIDDEN, tag
        assert not any(name.startswith("on") or name in ("style", "src", "srcset", "action") for name in attrs)
        assert attrs.get("href", "#").startswith("#")
    assert "url(" not in page.style
    assert "@import" not in page.style


@pytest.mark.parametrize("make", ALL)
def test_policy_allows_the_one_style_and_nothing_else(make):
    page = page_of(make)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode("utf-8")).digest()).decode("ascii")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert len(page.all("style")) == 1


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("locale", ["en", "sv"])
def test_structure(make, locale: str):
    page = page_of(make, locale)
    assert page.title
    assert len(page.ids) == len(set(page.ids))
    links = [attrs["href"][1:] for tag, attrs in page.tags if tag in ("a", "use")]
    assert set(links) <= set(page.ids)
    levels = [int(tag[1]) for tag, _ in page.tags if HEADINGS.fullmatch(tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert page.all("main") == [{"id": "result"}]
    assert page.all("a")[0] == {"class": "skip", "href": "#result"}
    assert all(attrs["scope"] in ("col", "row") for attrs in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert page.all("summary") == [{}] * len(page.all("details"))


@pytest.mark.parametrize("locale", ["en", "sv"])
def test_hostile_text_is_shown_and_nothing_else(locale: str):
    page = page_of(hostile_document, locale)
    assert "<script>alert(1)</script>" in page.text
    assert '"><img src=x onerror=alert(1)>' in page.text
    assert "{{ 7 * 7 }} {% raw %} ${7*7} {rule} {0}" in page.text
    assert "</style><style>*{display:none}" in page.text
    assert "<U+202E>evil<U+202C>" in page.text
    assert "<U+001B>[2J" in page.text
    assert "… (+4700)" in page.text
    raw = page.html
    assert not any(ord(c) < 32 and c != "\n" for c in raw)
    assert not any(c in raw for c in "\u202e\u202c\u2066\u2069\u200b\ufeff\x7f\x9b")
    assert "<script" not in raw
    assert HOSTILE[0] not in raw


def test_first_screen_has_verdict_counters_and_work():
    page = page_of(bad_document)
    start = page.text[: page.text.index("Checklist") if "Checklist" in page.text else None]
    for wanted in (
        "flexi.example.se",
        "Not safe to leave as is: 9 things to fix.",
        "3 checks met silence, which an outside test cannot tell from a block.",
        "IPv4 198.51.100.7",
        "What to do first",
    ):
        assert wanted in start, wanted
    assert page.text.index("What to do first") < page.text.index("The nine lines of the guide's summary")


def test_status_is_word_and_shape_everywhere():
    page = page_of(bad_document)
    marks = [attrs["class"] for tag, attrs in page.tags if tag == "span" and attrs.get("class", "").startswith("mark")]
    symbols = {attrs["id"] for attrs in page.all("symbol")}
    assert marks
    assert {f"i-{mark.split('k-')[1]}" for mark in marks} <= symbols
    for word in ("Pass", "Fail", "Not determined", "Not checked", "Pass in part", "Ask"):
        assert word in page.text


def test_cards_hold_all_that_the_administrator_needs():
    text = " ".join(page_of(bad_document).text.split())
    card = text[text.index("Block /admin for everybody but the server itself in IIS. Administration pages") :]
    order = (
        "2001:db8::10 port 443/tcp · confirmed",
        "Admital Web under /admin administers",
        "What to do",
        "Add Allow Entry: 127.0.0.1",
        "Where to click",
        "Command: Command prompt as administrator",
        "appcmd.exe set config",
        "What may stop working",
        "How to undo it",
        "Check it again",
        "flexiscan scan flexi.example.se --only web.admin-unreachable",
        "Asked for by Checklist 6",
    )
    places = [card.index(wanted) for wanted in order]
    assert places == sorted(places)


def test_questions_for_the_administrator_have_a_labelled_box():
    page = page_of(good_document)
    boxes = page.all("input")
    assert boxes
    assert all(box == {"type": "checkbox"} for box in boxes)
    assert len(page.all("label")) == len(boxes)
    assert "Is antivirus software running and up to date on the Flexi server?" in page.text


def test_stable_anchors_for_tickets():
    ids = page_of(bad_document).ids
    assert {"web.admin-unreachable", "fix-block-admin", "checklist-6", "evidence-web.admin-unreachable"} <= set(ids)


def test_several_hosts_have_sections_of_their_own():
    page = page_of(several_hosts_document)
    assert "flexi.example.se_web.admin-unreachable" in page.ids
    assert "2 of 3 hosts are not safe to leave as they are." in page.text
    assert page.title == "FlexiScan report: 3 hosts"


@pytest.mark.parametrize("make", ALL)
def test_size(make):
    assert len(render(make(), RenderOptions())) < MAX_BYTES


def test_size_when_everything_fails_with_large_answers():
    observations = [observe(f"o/{n}", http("/x", 200, "y" * 60000, Server="z" * 8000), n) for n in range(400)]
    findings = [
        finding(rule, "fail", "open", address, 1000 + n, because=tuple(f"o/{(n * 7 + k) % 400}" for k in range(12)))
        for n, rule in enumerate(f.rule for f in good_document().targets[0].findings)
        for address in (V4, V6)
    ]
    made = document(target(findings, observations), exit_code=1)
    assert len(render(made, RenderOptions())) < 2 * MAX_BYTES


def test_style_serves_print_dark_and_narrow_screens():
    style = page_of(good_document).style
    assert "@media print" in style
    assert "details::details-content" in style
    assert "break-inside: avoid" in style
    assert "prefers-color-scheme: dark" in style
    assert "max-width: 44rem" in style


def test_the_same_document_gives_the_same_bytes():
    assert render(bad_document(), RenderOptions()) == render(bad_document(), RenderOptions())


def test_spec():
    assert (SPEC.format, SPEC.suffix, SPEC.render) == ("html", ".html", render)

"""Values in sentences, and text that a target sent: shown, cut, never obeyed."""

from __future__ import annotations

import string
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan_reports.sentence import fill, plain
from flexiscan_reports.visible import MAX_VALUE_CHARACTERS, show, show_bytes, show_lines

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)


@pytest.mark.parametrize(
    ("sentence", "values", "told"),
    [
        ("Answered[ as {service}].", {"service": "SIP"}, "Answered as SIP."),
        ("Answered[ as {service}].", {}, "Answered."),
        ("Answered[ as {service}].", {"service": ""}, "Answered."),
        ("{a} and {b}", {"a": 1}, "1 and ?"),
        ("{n} of {n}", {"n": 0}, "0 of 0"),
        ("under [attest]", {}, "under [attest]"),
        ("[{a}][ {b}]", {"a": "{b}", "b": "[x]"}, "{b} [x]"),
        ("{yes}", {"yes": True}, "ja"),
        ("{x}", {"x": ["a", 2, None]}, "a, 2, None"),
        ("{x}", {"x": {"k": "v"}}, "k: v"),
        ("{x}", {"x": 0.25}, "0.25"),
        ("{x.__class__} {0} {x!r}", {"x": 1}, "{x.__class__} ? {x!r}"),
    ],
)
def test_fill(sentence: str, values: dict[str, Any], told: str):
    assert fill(sentence, values, ("ja", "nej")) == told


def test_long_lists_are_counted():
    assert plain(list(range(15))) == "0, 1, 2, 3, 4, 5, … (+9)"


@given(ANY_TEXT, st.dictionaries(st.sampled_from(["a", "b", "n"]), st.one_of(st.none(), ANY_TEXT, st.integers())))
def test_fill_never_raises(sentence: str, values: dict[str, Any]):
    assert isinstance(fill(sentence, values), str)


@given(ANY_TEXT)
def test_nothing_hidden_survives(text: str):
    shown = show(text)
    assert not any(unicodedata.category(character) in HIDDEN for character in shown)
    assert "\n" not in shown


@given(ANY_TEXT)
def test_lines_keep_line_ends_alone(text: str):
    assert all(unicodedata.category(c) not in HIDDEN or c == "\n" for c in show_lines(text))


@given(st.binary(max_size=600))
def test_bytes_become_printable_ascii(data: bytes):
    allowed = set(string.printable[:95]) | {"\n"}
    body = show_bytes(data).split("… (+")[0]
    assert set(body) <= allowed


def test_the_cut_is_shown():
    assert show("x" * 1000) == "x" * MAX_VALUE_CHARACTERS + "… (+700)"
    assert show_bytes(b"y" * 300) == "y" * 256 + "… (+44)"
    assert show_lines("z" * 10, 4) == "zzzz… (+6)"


def test_invisible_and_stacked_characters_are_spelled_out():
    assert show("\x1b[31m\u202eabc") == "<U+001B>[31m<U+202E>abc"
    assert show("a\u0301\u0302\u0303") == "a\u0301\u0302<U+0303>"
    assert show("\ud800") == "<U+D800>"

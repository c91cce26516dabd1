"""The JSON format is the result document, nothing more and nothing less."""

from __future__ import annotations

import json

import pytest

from flexiscan.model.renderer import RenderOptions
from flexiscan.model.result import ResultDocument
from flexiscan_reports.json import SPEC, render
from tests.reports.sample_documents import bad_document, good_document, hostile_document, incomplete_document


@pytest.mark.parametrize("make", [good_document, bad_document, incomplete_document, hostile_document])
def test_round_trip(make):
    made = make()
    data = render(made, RenderOptions())
    assert ResultDocument.model_validate(json.loads(data.decode("utf-8"))) == made


def test_form():
    data = render(bad_document(), RenderOptions())
    text = data.decode("utf-8")
    assert text.startswith('{\n  "schema_version": 1,\n  "tool": {')
    assert text.endswith("}\n")
    assert list(json.loads(text)) == list(ResultDocument.model_fields)
    assert render(bad_document(), RenderOptions(locale="sv")) == data


def test_a_lone_surrogate_becomes_an_escape():
    assert b"\\ud800 lone surrogate" in render(hostile_document(), RenderOptions())


def test_spec():
    assert (SPEC.format, SPEC.suffix, SPEC.render) == ("json", ".json", render)

"""Limited sight in the document, its schema and the report."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from flexiscan.model.result import ResultDocument
from flexiscan_reports.texts import load_texts
from flexiscan_reports.view_run import sources
from tests.reports.sample_documents import bad_document

SCHEMA = ResultDocument.model_json_schema(mode="serialization")


def seen_with(sight: str) -> dict[str, Any]:
    document = bad_document().model_dump(mode="json")
    return {**document, "vantage": {**document["vantage"], "sight": sight}}


@pytest.mark.parametrize("sight", ["full", "limited"])
def test_the_schema_has_both_sights(sight: str):
    jsonschema.Draft202012Validator(SCHEMA).validate(seen_with(sight))


def test_the_schema_knows_no_other_sight():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(seen_with("blurred"))


def test_the_schema_names_refusals():
    facts = SCHEMA["$defs"]
    assert "refused" in facts["TcpExchange"]["properties"]["connect"]["enum"]
    assert "refused" in facts["UdpExchange"]["properties"]["reply"]["enum"]
    assert "refused" in facts["SweepPort"]["properties"]["reply"]["enum"]
    assert "refused_ports" in facts["RtpSweep"]["properties"]


def test_a_document_without_the_word_was_made_with_full_sight():
    document = seen_with("full")
    del document["vantage"]["sight"]
    assert ResultDocument.model_validate(document).vantage.sight == "full"


@pytest.mark.parametrize("locale", ["en", "sv"])
def test_the_report_says_it(locale: str):
    texts = load_texts(locale)
    full, limited = (ResultDocument.model_validate(seen_with(sight)).vantage for sight in ("full", "limited"))
    assert set(sources(limited, texts)) - set(sources(full, texts)) == {texts.word("page.sight_limited")}

"""The result document itself, for programs."""

from __future__ import annotations

import json

from flexiscan.model.renderer import RendererSpec, RenderOptions
from flexiscan.model.result import ResultDocument


def render(document: ResultDocument, _: RenderOptions) -> bytes:
    """The document as indented UTF-8 JSON, keys in the order of the schema, one newline at the end.

    A lone surrogate, which a hostile header can smuggle in, becomes a JSON escape instead of an encoding error.
    """
    text = json.dumps(document.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return (text + "\n").encode("utf-8", "backslashreplace")


SPEC = RendererSpec(format="json", suffix=".json", render=render)

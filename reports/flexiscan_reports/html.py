"""The report as one HTML file: no script, nothing fetched, everything that a target sent escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from flexiscan.model.renderer import RendererSpec, RenderOptions
from flexiscan.model.result import ResultDocument
from flexiscan_reports.texts import load_texts
from flexiscan_reports.view import build_view
from flexiscan_reports.view_topics import mark_of

if TYPE_CHECKING:
    from jinja2 import Environment


def render(document: ResultDocument, options: RenderOptions) -> bytes:
    """The report as UTF-8."""
    from markupsafe import Markup

    texts = load_texts(options.locale)
    view = build_view(document, texts)
    style = _style()
    page = _environment().get_template("report.html.j2")
    text = page.render(
        view=view,
        several=len(view.hosts) != 1,
        word=texts.word,
        style=Markup(style),  # noqa: S704 - our own file, the only text that is not escaped
        policy=content_policy(style),
        pass_mark=mark_of("pass", texts),
        fail_mark=mark_of("fail", texts),
        ask_mark=mark_of("ask", texts),
    )
    return text.encode("utf-8")


def content_policy(style: str) -> str:
    """A Content Security Policy that allows this one style sheet and nothing else (CSP Level 3, 2.3.1)."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@functools.cache
def _style() -> str:
    file = resources.files("flexiscan_reports").joinpath("templates", "style.css")
    return file.read_text(encoding="utf-8")


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("flexiscan_reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


SPEC = RendererSpec(format="html", suffix=".html", render=render)

"""The report as Markdown (GitHub's dialect), for tickets and wikis. What a target sent cannot become markup."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from flexiscan.model.renderer import RendererSpec, RenderOptions
from flexiscan.model.result import ResultDocument
from flexiscan_reports.texts import load_texts
from flexiscan_reports.view import build_view

if TYPE_CHECKING:
    from jinja2 import Environment

_SPECIAL = re.compile(r"[\\`*_\[\]|~]")
_AT_START = re.compile(r"^(?:[-+#=>]|\d+(?=[.)](?:\s|$)))")
_LINK = re.compile(r"(?i)(?<=http)(?=:)|(?<=https)(?=:)|(?<=ftp)(?=:)|(?<=www)(?=\.)")
"""Where GitHub would begin to see a link in plain text (GFM 6.9)."""


def render(document: ResultDocument, options: RenderOptions) -> bytes:
    """The report as UTF-8."""
    texts = load_texts(options.locale)
    page = _environment().get_template("report.md.j2")
    text = page.render(view=build_view(document, texts), word=texts.word)
    return _outside_fences(text).encode("utf-8")


class Raw(str):
    """Markdown that is already markup."""

    __slots__ = ()


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no emphasis, link, table cell, heading or HTML in it."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    safe = _SPECIAL.sub(lambda match: f"\\{match[0]}", safe)
    safe = _LINK.sub(lambda _: "\\", safe).replace("@", "@&#8203;")
    return _AT_START.sub(_at_start, safe)


def code(text: str) -> Raw:
    """An inline code span; the fence is longer than any run of backticks inside (CommonMark 6.1)."""
    fence = "`" * (_longest_run(text) + 1)
    inner = f" {text} " if text.startswith("`") or text.endswith("`") else text
    return Raw(f"{fence}{inner}{fence}")


def fence(text: str) -> Raw:
    """A fenced code block; the fence is longer than any run of backticks inside (CommonMark 4.5)."""
    line = "`" * max(3, _longest_run(text) + 1)
    return Raw(f"{line}text\n{text}\n{line}")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _at_start(match: re.Match[str]) -> str:
    found = match[0]
    return f"\\{found}" if not found[0].isdigit() else f"{found}&#8203;"


def _finalize(value: Any) -> Any:
    return value if isinstance(value, Raw) else escape(str(value))


def _outside_fences(text: str) -> str:
    """Collapse runs of blank lines, except inside code blocks."""
    lines: list[str] = []
    closing = ""
    for line in text.split("\n"):
        opening = re.match("`{3,}", line)
        if closing:
            closing = "" if line == closing else closing
        elif opening:
            closing = opening[0]
        elif not line.strip() and lines and not lines[-1].strip():
            continue
        lines.append(line if closing or opening else line.rstrip())
    return "\n".join(lines).strip("\n") + "\n"


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("flexiscan_reports", "templates"),
        autoescape=False,  # noqa: S701 - not HTML: `finalize` escapes for Markdown instead
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(code=code, fence=fence, safe=Raw)
    return environment


SPEC = RendererSpec(format="markdown", suffix=".md", render=render)

"""What a report format offers to the core. Registered under the entry point group `flexiscan.reports`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flexiscan.model.result import ResultDocument


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a report is to look. A renderer ignores what does not concern it."""

    locale: str = "en"
    """Language of the texts: "en" or "sv". Data is never translated."""
    color: bool = False
    """ANSI colours (text only)."""
    plain: bool = False
    """One sentence a line, for screen readers and mail (text only)."""
    width: int = 80
    """Columns (text only)."""
    verbose: bool = False
    """Show passes too (text only)."""
    written: tuple[str, ...] = ()
    """Names of files that were written in the same call, for the last line (text only)."""


@dataclass(frozen=True, slots=True)
class RendererSpec:
    """One report format: a pure function from the result document to bytes."""

    format: str
    suffix: str
    render: Callable[[ResultDocument, RenderOptions], bytes]

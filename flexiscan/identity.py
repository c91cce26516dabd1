"""How a scan names itself towards the target. There is no switch to hide it (DESIGN 6: Manners)."""

from __future__ import annotations

import os
from importlib import metadata

DEFAULT_URL = "https://flexiscan.example/about-this-scan"
"""Placeholder of RFC 2606: the operator's own page is given by FLEXISCAN_URL."""


def tool_version() -> str:
    """Version of the installed distribution."""
    try:
        return metadata.version("flexiscan")
    except metadata.PackageNotFoundError:
        return "0+source"


def user_agent(run_id: str) -> str:
    """User-Agent of every request: name, version, a page that explains, and the run.

    The token/version form inside a comment passes proxies that refuse unknown products (Internet.nl issue 985).
    """
    url = os.environ.get("FLEXISCAN_URL", DEFAULT_URL)
    return f"Mozilla/5.0 (compatible; FlexiScan/{tool_version()}; +{url}; run={run_id})"

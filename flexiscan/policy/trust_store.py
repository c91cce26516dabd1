"""Which trust anchors certificates are judged against: those of the user, or a named public store."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import certifi


def trust_options(judge_options: Mapping[str, Any]) -> dict[str, Any]:
    """Judgement parameters: `trust_anchors_pem`, `trust_store` (its name) `private_trust` (True for a user's own)."""
    given = judge_options.get("ca_bundle_pem")
    if given:
        name = judge_options.get("ca_bundle_name") or "given with --ca-bundle"
        return {"trust_anchors_pem": given, "trust_store": name, "private_trust": True}
    return {
        "trust_anchors_pem": Path(certifi.where()).read_text(encoding="ascii", errors="ignore"),
        "trust_store": f"Mozilla (certifi {metadata.version('certifi')})",
        "private_trust": False,
    }

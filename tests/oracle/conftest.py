"""Comparisons with other tools: they need the lab's namespaces, and the tools."""

from __future__ import annotations

import pytest

from tests.scenarios.runs import namespaces_missing


@pytest.fixture(scope="session", autouse=True)
def _namespaces() -> None:
    """Skip with the reason where the lab cannot stand in namespaces."""
    missing = namespaces_missing()
    if missing:
        pytest.skip(f"left out, the lab needs network namespaces: {missing}")

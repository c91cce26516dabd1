"""Tests with the mark netns are skipped, with the reason, where no network namespaces are to be had."""

from __future__ import annotations

import pytest

from flexiscan_lab.errors import Unavailable
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL


@pytest.fixture(scope="session")
def _namespaces_work() -> str:
    """Empty when namespaces work here, otherwise the reason why not."""
    try:
        with Lab.start(ALL["hardened"]):
            return ""
    except Unavailable as reason:
        return str(reason)


@pytest.fixture(autouse=True)
def _needs_namespaces(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("netns") is not None:
        reason = request.getfixturevalue("_namespaces_work")
        if reason:
            pytest.skip(reason)

"""One lab for all tests, and for each test a command with a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
from tests.hardship.command import Command
from tests.scenarios.runs import namespaces_missing


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A host without a firewall: every port answers at once, so nothing waits for silence."""
    missing = namespaces_missing()
    if missing:
        pytest.skip(f"left out, the lab needs network namespaces: {missing}")
    with Lab.start(ALL["no_firewall"]) as running:
        yield running


@pytest.fixture
def command(lab: Lab, tmp_path: Path) -> Command:
    """The command, at home in the test's own folder."""
    home = tmp_path / "home"
    home.mkdir()
    return Command(lab, home)

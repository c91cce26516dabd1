"""Shared runs of the lab's scenarios."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flexiscan_lab.scenarios import ALL
from tests.scenarios.runs import ScenarioRuns, namespaces_missing


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioRuns]:
    """Every scenario that a collected test asks for, running in the background."""
    missing = namespaces_missing()
    if missing:
        pytest.skip(f"left out, the lab needs network namespaces: {missing}")
    wanted = {
        str(item.callspec.params["scenario"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "scenario" in item.callspec.params
    }
    pool = ScenarioRuns(tmp_path_factory.mktemp("scenarios"), [ALL[name] for name in sorted(wanted)])
    yield pool
    pool.close()

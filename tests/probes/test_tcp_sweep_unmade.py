"""A sweep over all TCP ports that could not be made, because the network went away: nothing follows from it."""

from __future__ import annotations

import datetime as dt

import pytest

from flexiscan.model.failure import Failure, FailureKind
from flexiscan.model.observation import Observation
from flexiscan_probes import tcp_sweep
from tests.probes.test_tcp_sweep import task

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize("reason", ["no-route", "deadline", "no-resource"])
def test_a_sweep_that_could_not_be_made_leads_to_no_question(reason: FailureKind):
    seen = Observation(id="sweep", started=NOW, ended=NOW, outcome=Failure(reason=reason))
    assert list(tcp_sweep.proceed(task(), (seen,))) == []

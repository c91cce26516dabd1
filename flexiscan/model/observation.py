"""A task, when it ran, and what came of it."""

from __future__ import annotations

import datetime as dt

from flexiscan.model.base import Frozen
from flexiscan.model.facts import Fact
from flexiscan.model.failure import Failure


class Observation(Frozen):
    """The outcome of one task. `id` is the id of the task."""

    id: str
    started: dt.datetime
    ended: dt.datetime
    outcome: Fact | Failure

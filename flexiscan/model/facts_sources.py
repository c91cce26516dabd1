"""How a prefix of the scanner served as the source of a sweep."""

from __future__ import annotations

from typing import Literal

from flexiscan.model.base import Frozen

SourcesState = Literal[
    "not-needed",  # no ICMP error came back, so no ICMP limit could bite
    "used",  # every control from the prefix was answered, the last one after the sweep
    "no-control",  # no port accepts: nothing could show that answers come back to the prefix
    "not-routed-back",  # what was sent from the prefix was not answered: the sweep went on from the usual address
    "lost",  # controls were answered at first, later not
    "refused-here",  # this machine does not send from the prefix
]


class OwnSourcesUse(Frozen):
    """The prefix, and what shows that answers come back to it."""

    prefix: str
    state: SourcesState
    datagrams: int = 0
    """That left from the prefix, each from another address."""
    passes: int = 0
    """Over the range, or what was silent of it, from the prefix."""
    controls_asked: int = 0
    """Connects from fresh addresses of the prefix to a port that accepts."""
    controls_answered: int = 0
    again_asked: int = 0
    """Ports that had answered before, asked again from the prefix between ports that had not."""
    again_answered: int = 0

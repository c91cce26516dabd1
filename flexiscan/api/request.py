"""What a scan is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flexiscan.model.endpoint import FAMILIES, Family, TargetAddress
from flexiscan.model.finding import Severity
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Task
from flexiscan.model.stored_proof import StoredProof
from flexiscan.model.target import Depth, IntrusiveTest, Scope
from flexiscan.model.witness_message import CONTROL_PORT

SecondOpinion = Literal["none", "standard", "full"]


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """Everything that decides what a scan does and how its result is judged."""

    scope: Scope
    record_folder: Path
    resolvers: tuple[str, ...] = ()
    """ADDR#PORT; asked for what clients would see."""
    scope_sha256: str | None = None
    depth: Depth = "standard"
    families: tuple[Family, ...] = FAMILIES
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    ca_bundle_pem: str | None = None
    """Trust anchors to use instead of the default store."""
    ca_bundle_name: str = ""
    second_opinion: SecondOpinion = "standard"
    fail_on: Severity = "medium"
    strict: bool = False
    seed: int | None = None
    """None: a fresh one, recorded in the run."""
    witness_code: str | None = field(default=None, repr=False)
    """The one-time code of a witness that runs on the server now; it stands in no record."""
    witness_control_port: int = CONTROL_PORT
    raw: bool = False
    """Half-open probes, ICMP headers and a capture beside everything else; needs CAP_NET_RAW. The verdicts are the
    same."""
    intrusive: tuple[IntrusiveTest, ...] = ()
    """Tests that may disturb; each needs what the scope file agrees to."""
    source_prefix: str | None = None
    """IPv6 addresses of the scanner's own to send the media sweep from: see flexiscan.net.own_prefix."""
    vantage: Mapping[str, Any] | None = None
    """What the doctor found about this place: see flexiscan.policy.vantage."""
    proofs: tuple[StoredProof, ...] = ()
    """What a witness proved earlier; read and checked by flexiscan.api.proof."""


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Watch:
    """Callbacks for progress. They are called on the event loop and must return at once."""

    resolved: Callable[[str, tuple[TargetAddress, ...]], None] = field(default=_nothing)
    planned: Callable[[str, Plan], None] = field(default=_nothing)
    added: Callable[[str, tuple[Task, ...]], None] = field(default=_nothing)
    observed: Callable[[str, Observation], None] = field(default=_nothing)

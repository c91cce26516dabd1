"""What a witness proved once, kept for later runs to cite."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from flexiscan.model.base import Frozen
from flexiscan.model.endpoint import Family, Transport


class SilenceSeen(Frozen):
    """What the silence of a port looked like from outside: a later one is the same only if all of this is."""

    server_hops: int
    """The least hop limit that reached the server."""
    last_router: str
    """The last router in front of the server that spoke."""
    last_router_hops: int
    dropped_within_hops: int | None = None
    """Where packets were seen to end, if that was seen."""


class ProvenSilence(Frozen):
    """A port or range of one address at which the witness saw nothing arrive."""

    address: str
    family: Family
    transport: Transport
    first_port: int
    last_port: int
    silence: SilenceSeen


class StoredProof(Frozen):
    """The content of a proof file. `mac`: HMAC-SHA256 over all the rest under the key of this installation, hex."""

    proof_version: Literal[1] = 1
    host: str
    proven_at: dt.datetime
    """When the run began whose questions did not arrive."""
    run: str
    witness_run: str
    log_sha256: str
    record_sha256: str
    silences: tuple[ProvenSilence, ...]
    mac: str = ""

    def without_mac(self) -> dict[str, Any]:
        """All that the MAC covers, as JSON types."""
        return self.model_dump(mode="json", exclude={"mac"})

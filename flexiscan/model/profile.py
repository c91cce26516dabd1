"""The guide as data: which rules exist, which port rows, which pages."""

from __future__ import annotations

from typing import Literal

from flexiscan.model.base import Frozen
from flexiscan.model.endpoint import Transport
from flexiscan.model.finding import Severity


class RuleEntry(Frozen):
    """One rule id of the profile and where the guide asks for it."""

    id: str
    guide: tuple[str, ...]
    """Ids of guide items, e.g. "checklist-6"."""
    severity: Severity
    beyond_guide: bool = False
    """True when the guide does not ask for it itself."""


class PortRow(Frozen):
    """One port (or range) that a ports rule judges."""

    rule: str
    transport: Transport
    port: int
    last_port: int | None = None
    question: str
    """Which request is put: "sip", "tftp", "giop", "banner", ... (names of the probes' questions)."""
    inside: Literal["", "http", "sip", "winrm"] = ""
    """Which request is put inside TLS once the port has answered a TLS hello; "": the probe chooses."""
    only_if: Literal["", "mitai", "telephony-manager", "active-state"] = ""
    """Declared ports: judged as declared, see DESIGN 5."""


class GuideItem(Frozen):
    """One line or table row of the guide."""

    id: str
    section: str
    text: str
    rules: tuple[str, ...]
    testable: bool = True
    why_not: str = ""


class Profile(Frozen):
    """A versioned choice of rules with their data."""

    name: str
    version: int
    guide_title: str
    guide_release: str
    rules: tuple[RuleEntry, ...]
    ports: tuple[PortRow, ...]
    items: tuple[GuideItem, ...]

    def entry(self, rule: str) -> RuleEntry:
        """The entry of a rule. Raises KeyError when the profile does not have it."""
        for entry in self.rules:
            if entry.id == rule:
                return entry
        raise KeyError(rule)

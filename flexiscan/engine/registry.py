"""Finds probes and reports through entry points. One that is missing or broken stops the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import TypeVar, cast

from flexiscan.errors import PluginError
from flexiscan.model.profile import RuleEntry
from flexiscan.model.renderer import RendererSpec
from flexiscan.sdk import ProbeSpec

PROBE_GROUP = "flexiscan.probes"
REPORT_GROUP = "flexiscan.reports"
EXPLAIN_GROUP = "flexiscan.explain"
DISTRIBUTION = "flexiscan"

Explainer = Callable[[RuleEntry, Mapping[str, str], Sequence[str], str], str]
"""Rule, results with their outcomes, guide lines, language -> text."""

Spec = TypeVar("Spec", ProbeSpec, RendererSpec)


def load_probes() -> tuple[ProbeSpec, ...]:
    """Every registered probe, by id. Raises PluginError."""
    return tuple(_load(entry, ProbeSpec) for entry in _entries(PROBE_GROUP))


def load_renderer(format_name: str) -> RendererSpec:
    """The renderer of one format. Raises PluginError when it is broken, KeyError when there is none."""
    for entry in _entries(REPORT_GROUP):
        if entry.name == format_name:
            return _load(entry, RendererSpec)
    raise KeyError(format_name)


def format_names() -> tuple[str, ...]:
    """Names of all registered report formats."""
    return tuple(entry.name for entry in _entries(REPORT_GROUP))


def load_explainer() -> Explainer:
    """What tells a rule in words. Raises PluginError."""
    entries = _entries(EXPLAIN_GROUP)
    try:
        explainer = entries[0].load()
    except Exception as error:
        raise PluginError(f"{EXPLAIN_GROUP} entry {entries[0].value} is broken: {error}") from error
    if not callable(explainer):
        raise PluginError(f"{EXPLAIN_GROUP} entry {entries[0].value} cannot be called")
    return cast(Explainer, explainer)


def _entries(group: str) -> list[metadata.EntryPoint]:
    """Entry points of this distribution alone: a foreign package cannot add a probe unseen."""
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise PluginError("flexiscan is not installed, so its probes cannot be found", "run: pip install .") from error
    entries = [entry for entry in distribution.entry_points if entry.group == group]
    if not entries:
        raise PluginError(f"no entry point of group {group!r} is registered", "reinstall: pip install .")
    return sorted(entries, key=lambda entry: entry.name)


def _load(entry: metadata.EntryPoint, kind: type[Spec]) -> Spec:
    try:
        spec = entry.load()
    except Exception as error:
        raise PluginError(f"{entry.group} entry {entry.name!r} ({entry.value}) is broken: {error}") from error
    if not isinstance(spec, kind):
        raise PluginError(f"{entry.group} entry {entry.name!r} ({entry.value}) is not a {kind.__name__}")
    name = spec.id if isinstance(spec, ProbeSpec) else spec.format
    if name != entry.name:
        raise PluginError(f"{entry.group} entry {entry.name!r} calls itself {name!r}")
    return spec

"""Entry points: every probe and report on disk is registered under its own name, and nothing else is."""

from __future__ import annotations

import ast
import tomllib
from importlib import metadata
from typing import Any
from unittest import mock

import pytest

from flexiscan.engine import registry
from flexiscan.errors import PluginError
from flexiscan.model.renderer import RendererSpec
from flexiscan.sdk import ProbeSpec
from tests.arch.sources import ROOT, Source, sources_of

GROUPS = {"flexiscan.probes": ("flexiscan_probes", "id"), "flexiscan.reports": ("flexiscan_reports", "format")}


def declared() -> dict[str, dict[str, str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entry_points: dict[str, dict[str, str]] = project["entry-points"]
    return entry_points


def name_in(source: Source, keyword: str) -> str | None:
    """What a module-level SPEC calls itself; None when there is none."""
    for node in source.tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "SPEC" and isinstance(getattr(node, "value", None), ast.Call):
            call: Any = getattr(node, "value", None)
            return next(str(ast.literal_eval(k.value)) for k in call.keywords if k.arg == keyword)
    return None


@pytest.mark.parametrize("group", GROUPS)
def test_every_spec_on_disk_is_registered_and_nothing_else(group: str) -> None:
    package, keyword = GROUPS[group]
    on_disk = {
        name: f"{source.name}:SPEC" for source in sources_of(package) if (name := name_in(source, keyword)) is not None
    }
    assert on_disk
    assert declared()[group] == on_disk


def test_what_is_installed_is_what_is_declared() -> None:
    installed: dict[str, dict[str, str]] = {}
    for entry in metadata.distribution("flexiscan").entry_points:
        installed.setdefault(entry.group, {})[entry.name] = entry.value
    del installed["console_scripts"]
    assert installed == declared()


def test_every_probe_and_every_report_loads() -> None:
    probes = registry.load_probes()
    assert [spec.id for spec in probes] == sorted(declared()["flexiscan.probes"])
    for name in registry.format_names():
        assert registry.load_renderer(name).format == name
    assert callable(registry.load_explainer())


def entry(value: str, name: str = "made.up", group: str = registry.PROBE_GROUP) -> metadata.EntryPoint:
    return metadata.EntryPoint(name, value, group)


def loading(*entries: metadata.EntryPoint) -> Any:
    return mock.patch("importlib.metadata.distribution", return_value=mock.Mock(entry_points=list(entries)))


SPEC = ProbeSpec(id="made.up", version=1, plan=lambda view: (), observe=mock.Mock())
NOT_A_SPEC = RendererSpec(format="made.up", suffix="", render=lambda document, options: b"")
HERE = "tests.arch.test_registration"


class TestBrokenEntryPoints:
    """One that is missing or broken stops the run; it never leaves a question out in silence."""

    def test_a_good_one(self) -> None:
        with loading(entry(f"{HERE}:SPEC")):
            assert [spec.id for spec in registry.load_probes()] == ["made.up"]

    @pytest.mark.parametrize(
        ("value", "name", "words"),
        [
            ("no.such.module:SPEC", "made.up", "broken"),
            (f"{HERE}:NO_SUCH_NAME", "made.up", "broken"),
            (f"{HERE}:NOT_A_SPEC", "made.up", "not a ProbeSpec"),
            (f"{HERE}:SPEC", "another.name", "calls itself"),
        ],
    )
    def test_a_bad_one(self, value: str, name: str, words: str) -> None:
        with loading(entry(f"{HERE}:SPEC"), entry(value, name)), pytest.raises(PluginError, match=words):
            registry.load_probes()

    def test_none_at_all(self) -> None:
        with loading(), pytest.raises(PluginError, match="no entry point"):
            registry.load_probes()

    def test_not_installed(self) -> None:
        missing = mock.patch("importlib.metadata.distribution", side_effect=metadata.PackageNotFoundError)
        with missing, pytest.raises(PluginError, match="not installed"):
            registry.load_probes()

    def test_a_format_that_does_not_exist(self) -> None:
        with pytest.raises(KeyError):
            registry.load_renderer("papyrus")

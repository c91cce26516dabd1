"""Who may import whom: the contracts of pyproject.toml, and what they cannot say."""

from __future__ import annotations

import subprocess
import sys

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.arch.sources import ROOT, package_sources, sources_of

NETWORK = (
    "socket",
    "ssl",
    "asyncio",
    "select",
    "selectors",
    "httpx",
    "dns",
    "scapy",
    "sslyze",
    "http.client",
    "urllib.request",
)
HEAVY = ("pydantic", "rich", "jinja2", "httpx", "dns", "sslyze", "cryptography", "structlog", "babel")


def test_the_import_contracts_hold(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_facts_and_judgement_touch_no_network_themselves() -> None:
    rooms = sources_of("flexiscan.model", "flexiscan.policy")
    assert not [source.name for source in rooms if source.imports(*NETWORK, "flexiscan.net", "subprocess", "time")]


def test_only_the_net_room_opens_sockets() -> None:
    holders = {
        source.name for source in sources_of("flexiscan", "flexiscan_probes") if source.imports("socket", "select")
    }
    beside = {name for name in holders if not name.startswith("flexiscan.net.")}
    assert beside == {"flexiscan.witness"}  # a program of its own, which runs on the server without the rest


def test_only_the_worker_knows_the_second_engine() -> None:
    assert {source.name for source in package_sources() if source.imports("sslyze")} == {
        "flexiscan_probes.sslyze_worker"
    }


def test_scapy_and_the_second_engine_are_never_in_one_process() -> None:
    """Only the raw helper reaches what loads scapy, and nothing that it reaches loads the second engine."""
    assert {source.name for source in package_sources() if source.imports("scapy")} == {"flexiscan.net.raw.craft"}
    users = {source.name for source in package_sources() if source.imports("flexiscan.net.raw.craft")}
    assert users == {"flexiscan.net.raw.helper"}
    assert not [source.name for source in package_sources() if source.imports("flexiscan.net.raw.helper")]


def test_reports_have_no_network_and_run_nothing() -> None:
    assert not [s.name for s in sources_of("flexiscan_reports") if s.imports(*NETWORK, "subprocess")]


def test_pydantic_models_stand_in_the_model_and_in_what_is_read_from_outside() -> None:
    places = {source.name for source in package_sources() if source.imports("pydantic.BaseModel")}
    assert places == {"flexiscan.model.base", "flexiscan.scope_file"}


def test_the_command_line_starts_without_anything_heavy() -> None:
    script = "import sys, flexiscan.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not set(HEAVY) & set(done.stdout.split())

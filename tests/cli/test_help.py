"""Help, version, rules, explanations and the schema: what a user can ask without scanning anything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from click.testing import CliRunner

from flexiscan.cli.main import COMMANDS, cli
from flexiscan.identity import tool_version
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rules import RULES
from tests.cli.calling import ALLOWED, PUBLIC, CommandLine, network_of
from tests.engine.made_up_host import MadeUpHost
from tests.engine.vulnerable_host import vulnerable_host
from tests.policy.web_world import HOST


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), prog_name="flexiscan")
    assert result.exit_code == 0, result.output
    return result.output


def test_the_version() -> None:
    assert shown("--version") == f"flexiscan {tool_version()}\n"


def test_help_has_examples_and_the_exit_codes() -> None:
    for option in ("--help", "-h"):
        text = shown(option)
        assert "Examples:\n    flexiscan scan" in text
        words = " ".join(text.split())
        for code in ("0 nothing", "1 a failure", "2 usage", "3 incomplete", "4 refused", "5 internal", "130 interr"):
            assert code in words
        for command in COMMANDS:
            assert f"\n  {command} " in text


@pytest.mark.parametrize("command", ["scan", "judge", "report", "explain"])
def test_help_of_the_commands_has_examples(command: str) -> None:
    text = shown(command, "--help")
    assert f"flexiscan {command} " in text[text.index("Example") :]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_or_lists_its_choices(command: str) -> None:
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    assert found.help
    options = [parameter for parameter in found.params if isinstance(parameter, click.Option)]
    assert not [option.name for option in options if not option.help and not isinstance(option.type, click.Choice)]


def test_rules_lists_every_rule() -> None:
    lines = shown("rules").splitlines()
    assert [line.split()[0] for line in lines] == [entry.id for entry in load_profile().rules]
    unbuilt = {line.split()[0] for line in lines if line.endswith("(not built yet)")}
    built = {rule.id for rule in RULES}
    assert not unbuilt & built
    assert {entry.id for entry in load_profile().rules} - unbuilt - built == {
        entry.id for entry in load_profile().rules if entry.id.startswith("host.")
    }


def test_rules_as_json() -> None:
    entries = json.loads(shown("rules", "--json"))
    assert [entry["id"] for entry in entries] == [entry.id for entry in load_profile().rules]
    assert {entry["severity"] for entry in entries} <= {"critical", "high", "medium", "low", "info"}


@pytest.mark.parametrize("lang", ["en", "sv"])
@pytest.mark.parametrize("rule", [entry.id for entry in load_profile().rules][::7])
def test_every_rule_can_be_explained(rule: str, lang: str) -> None:
    assert rule in shown("explain", rule, "--lang", lang)


def schema() -> dict[str, Any]:
    text: dict[str, Any] = json.loads(shown("schema"))
    return text


def test_the_schema_is_one() -> None:
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("host", [MadeUpHost, vulnerable_host], ids=["hardened", "vulnerable"])
def test_every_document_fits_the_schema(host: Any, tmp_path: Path, flexiscan: CommandLine) -> None:
    with network_of(host()):
        answer = flexiscan("scan", HOST, "-4", *ALLOWED, *PUBLIC, "-q", "--format", "json=-")
    document = json.loads(answer.out)
    validator = jsonschema.Draft202012Validator(schema())
    assert [error.message for error in validator.iter_errors(document)] == []
    assert document["exit_code"] == answer.code
    found = [finding["verdict"] for target in document["targets"] for finding in target["findings"]]
    assert document["summary"] == {verdict: found.count(verdict) for verdict in document["summary"]}
    wrong: tuple[dict[str, Any], ...] = (
        {"schema_version": 2},
        {"summary": {"maybe": 1}},
        {"surprise": 1},
        {"targets": [{}]},
    )
    for broken in wrong:
        assert list(validator.iter_errors({**document, **broken})), broken


def test_the_finding_of_the_schema_is_that_of_the_contract() -> None:
    finding = schema()["$defs"]["Finding"]
    assert set(finding["properties"]) == {
        *("rule", "guide", "address", "family", "transport", "port", "verdict", "severity", "confidence"),
        *("result", "params", "because"),
    }
    verdict = finding["properties"]["verdict"]["enum"]
    assert set(verdict) == {"pass", "fail", "inconclusive", "not_applicable", "not_checked"}
    assert set(finding["properties"]["confidence"]["enum"]) == {"confirmed", "firm", "tentative"}


class TestProcesses:
    """What only a process of its own shows."""

    def start(self, home: Path, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "PYTHONPATH": os.pathsep.join(sys.path)}
        argv = [sys.executable, "-m", "flexiscan", *arguments]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def test_an_interrupt_ends_a_real_scan_with_130_and_its_document(self, home: Path) -> None:
        options = ("--only", "ports.rtp-unreachable", "--udp-pps", "20", "-vv", "-q", "--format", "json=-")
        process = self.start(home, "scan", "127.0.0.1", *options)
        with process:
            self.wait_for('"round": 2', process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        document = json.loads(out)
        assert document["run"]["interrupted"]
        assert "Traceback" not in err
        (finding,) = [f for f in document["targets"][0]["findings"] if f["address"] and "rtp" in f["rule"]]
        assert (finding["verdict"], finding["result"]) == ("inconclusive", "interrupted")

    def wait_for(self, words: str, process: subprocess.Popen[str]) -> None:
        """Until the log of the scan says so: the sweep of round 2 takes a minute at this pace."""
        assert process.stderr is not None
        for line in process.stderr:
            if words in line:
                return
        raise AssertionError("the scan ended")

    def test_stdout_that_was_closed_is_no_success(self, home: Path) -> None:
        process = self.start(home, "rules", "--json")
        assert process.stdout is not None
        process.stdout.close()
        with process:
            assert process.wait(timeout=30) != 0

"""`flexiscan init` writes a scope file that the scan reads, asks only at a terminal, and replaces nothing unasked."""

from __future__ import annotations

import datetime as dt
import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.cli.scope_text import Answers, scope_text
from flexiscan.scope_file import read_scope_file
from tests.cli.calling import CommandLine

TODAY = dt.date(2026, 11, 23)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def test_what_is_written_is_what_a_scan_reads(flexiscan: CommandLine, tmp_path: Path) -> None:
    out = tmp_path / "customer.toml"
    who = ("--authorised-by", "A. Svensson, CIO", "--customer", 'The "Example" AB', "--valid-until", "2999-12-31")
    what = ("--app", "presentity", "--app", "mobile", "--port", "active-state")
    where = ("--address", "192.0.2.10", "--address", "2001:DB8::10")
    answer = flexiscan("init", "Flexi.Example.SE", *who, *what, *where, "--out", out)
    assert answer.code == 0, answer.err
    assert f"flexiscan scan --scope {out} --dry-run" in answer.out
    scope = read_scope_file(out, today=TODAY).scope
    [target] = scope.targets
    assert (target.host, target.apps, target.ports) == ("flexi.example.se", ("presentity", "mobile"), ("active-state",))
    assert target.addresses == ("192.0.2.10", "2001:db8::10")
    assert scope.authorisation.authorised_by == "A. Svensson, CIO"
    assert scope.authorisation.customer == 'The "Example" AB'
    assert scope.authorisation.valid_until == dt.date(2999, 12, 31)


def test_every_key_that_was_left_out_stands_there_with_its_meaning(flexiscan: CommandLine, tmp_path: Path) -> None:
    out = tmp_path / "f.toml"
    assert flexiscan("init", "flexi.example.se", "--authorised-by", "A", "--out", out).code == 0
    text = out.read_text()
    data = tomllib.loads(text)
    assert set(data["target"][0]) == {"host"}
    for key in ("customer", "contact", "reference", "addresses", "origins", "apps", "ports", "mitai_ports", "http_port",
                "https_port", "window", "networks", "udp_pps", "http_rps", "tls_concurrency"):  # fmt: skip
        assert f"# {key} = " in text, key


def test_the_commented_keys_are_right_too(tmp_path: Path) -> None:
    """Whoever takes the comment signs away must get a file that can be read."""
    text = scope_text(Answers("flexi.example.se", "A", dt.date(2999, 1, 1)))
    bare = [line[2:] if line.startswith("# ") and (" = " in line or line.startswith("# [")) else line
            for line in text.splitlines()]  # fmt: skip
    path = tmp_path / "whole.toml"
    path.write_text("\n".join(bare))
    scope = read_scope_file(path, today=TODAY).scope
    assert scope.exclude_ports == (3389,)
    assert scope.targets[0].mitai_ports == (1234,)
    assert [attestation.rule for attestation in scope.attestations] == ["host.backup"]


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ((), "HOST, --authorised-by"),
        (("flexi.example.se",), "--authorised-by"),
        (("https://flexi.example.se/", "--authorised-by", "A"), "not a host name"),
        (("flexi.example.se", "--authorised-by", "A", "--valid-until", "soon"), "no date"),
        (("flexi.example.se", "--authorised-by", "A", "--valid-until", "2020-01-01"), "is over"),
        (("flexi.example.se", "--authorised-by", "A", "--address", "here"), "'here'"),
    ],
)
def test_nothing_is_written_when_something_is_wrong(
    flexiscan: CommandLine, tmp_path: Path, arguments: tuple[str, ...], cause: str
) -> None:
    out = tmp_path / "f.toml"
    answer = flexiscan("init", *arguments, "--out", out)
    assert answer.code == 2
    assert cause in answer.err
    assert not out.exists()


def test_a_file_that_is_there_stays(flexiscan: CommandLine, tmp_path: Path) -> None:
    out = tmp_path / "f.toml"
    out.write_text("mine")
    assert flexiscan("init", "flexi.example.se", "--authorised-by", "A", "--out", out).code == 2
    assert out.read_text() == "mine"
    assert flexiscan("init", "flexi.example.se", "--authorised-by", "A", "--out", out, "--force").code == 0
    assert out.read_text() != "mine"


def test_a_place_that_cannot_be_written_is_named(flexiscan: CommandLine, tmp_path: Path) -> None:
    answer = flexiscan("init", "flexi.example.se", "--authorised-by", "A", "--out", tmp_path / "absent" / "f.toml")
    assert answer.code == 2
    assert "cannot write" in answer.err
    assert "choose another --out" in answer.err
    assert "RECORD" not in answer.err


@given(TEXT, TEXT, TEXT)
def test_any_text_is_written_so_that_it_is_read_as_it_was(who: str, customer: str, contact: str) -> None:
    answers = Answers("flexi.example.se", who, dt.date(2999, 1, 1), customer=customer, contact=contact)
    data = tomllib.loads(scope_text(answers))["authorisation"]
    assert (data["authorised_by"], data["customer"], data["contact"]) == (who, customer, contact)


def test_at_a_terminal_it_asks_again_until_the_answer_is_right(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flexiscan", "init", "--out", str(tmp_path / "f.toml")]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path)
    os.close(theirs)
    typed = ("https://wrong/", "flexi.example.se", "", "A. Svensson", "", "", "", "what", "mobile, api", "")
    os.write(ours, "".join(f"{line}\n" for line in typed).encode())
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert b"Written" in out
    [target] = read_scope_file(tmp_path / "f.toml", today=TODAY).scope.targets
    assert (target.host, target.apps, target.ports) == ("flexi.example.se", ("mobile", "api"), ())

"""`--intrusive`: a closed list, never without what the scope file agrees to, and shown before it is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import ALLOWED, CommandLine
from tests.engine.made_up_host import MadeUpHost

ADDRESS, OTHER = "192.0.2.10", "2001:db8::10"
HOST = "flexi.example.test"


@pytest.fixture(autouse=True)
def nothing_is_sent(hardened: MadeUpHost, home: Path) -> object:
    yield
    assert hardened.asked == []
    assert not (home / "state").exists()


def scope(home: Path, *rows: str) -> Path:
    path = home / "scope.toml"
    head = ["schema = 1", "[authorisation]", 'authorised_by = "A"', "[[target]]", f'host = "{HOST}"']
    path.write_text("\n".join([*head, f'addresses = ["{ADDRESS}", "{OTHER}"]', *rows]))
    return path


def call(until: str) -> str:
    return (
        f'test_call = {{ addresses = ["{ADDRESS}"], ports = [40100, 40102], agreed_by = "B. Berg", until = {until} }}'
    )


def test_an_unknown_test(flexiscan: CommandLine) -> None:
    answer = flexiscan("scan", HOST, *ALLOWED, "--intrusive", "flood")
    assert (answer.code, "rtp-bleed" in answer.err) == (2, True)


def test_without_a_scope_file(flexiscan: CommandLine) -> None:
    answer = flexiscan("scan", HOST, *ALLOWED, "--intrusive", "rtp-bleed")
    assert answer.code == 2
    assert "needs a test call that somebody agreed to; nothing was sent" in answer.err
    assert "test_call" in answer.err


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_without_a_declared_call(home: Path, flexiscan: CommandLine, more: tuple[str, ...]) -> None:
    answer = flexiscan("scan", "--scope", scope(home), "--intrusive", "rtp-bleed", *more)
    assert (answer.code, "needs a test call" in answer.err, answer.out) == (2, True, "")


@pytest.mark.parametrize("until", ["2020-01-31", "2020-01-31T18:00:00+01:00"])
def test_after_the_agreed_time(home: Path, flexiscan: CommandLine, until: str) -> None:
    answer = flexiscan("scan", "--scope", scope(home, call(until)), "--intrusive", "rtp-bleed")
    assert answer.code == 4
    assert "was agreed to until 2020-0" in answer.err
    assert "nothing was sent" in answer.err


def test_the_dry_run_shows_what_would_be_disturbed(home: Path, flexiscan: CommandLine) -> None:
    path = scope(home, call("2999-12-31T18:00:00+01:00"))
    shown = flexiscan("scan", "--scope", path, "--intrusive", "rtp-bleed", "--intrusive", "rtp-bleed", "--dry-run")
    assert shown.code == 0
    assert f"up to 5 voice packets to each of {ADDRESS} udp 40100, {ADDRESS} udp 40102" in shown.out
    assert "agreed by B. Berg, until 2999-12-31T18:00+01:00" in shown.out
    quiet = flexiscan("scan", "--scope", path, "--dry-run")
    assert (quiet.code, "rtp-bleed" in quiet.out, "40100" in quiet.out) == (0, False, False)


def test_an_expired_call_does_not_hinder_other_scans(home: Path, flexiscan: CommandLine) -> None:
    answer = flexiscan("scan", "--scope", scope(home, call("2020-01-31")), "--dry-run")
    assert answer.code == 0

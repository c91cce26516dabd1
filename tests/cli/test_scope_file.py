"""The scope file: what it may say, and every slip of the pen named with its file and line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from flexiscan.errors import ScopeRefused, UsageError
from flexiscan.scope_file import ScopeFile, read_scope_file

TODAY = dt.date(2026, 11, 2)
GOOD = """\
schema = 1

[authorisation]
customer = "Example AB"
authorised_by = "A. Svensson, CIO"
contact = "a@example.test"
reference = "T-17"
valid_until = 2026-11-02

[[target]]
host = "Flexi.Example.TEST."
addresses = ["192.0.2.10", "2001:DB8:0:0::10"]
origins = ["198.51.100.7"]
apps = ["presentity", "mobile"]
ports = ["telephony-manager"]
mitai_ports = [12345]
https_port = 8443
window = "22:00-05:00 Europe/Stockholm"
test_call = { addresses = ["192.0.2.10"], ports = [40100, 40102], agreed_by = "B. Berg", until = 2026-11-02 }

[[target]]
host = "åäö.example.test"

[exclude]
networks = ["203.0.113.0/24"]
ports = [3389]

[rates]
udp_pps = 50

[attest.backup]
by = "A. Svensson"
on = 2026-10-01

[attest."host.antivirus"]
by = "B. Nilsson"
on = 2026-10-02
note = "yearly"
"""


def read(text: str, folder: Path) -> ScopeFile:
    path = folder / "scope.toml"
    path.write_text(text, encoding="utf-8")
    return read_scope_file(path, today=TODAY, assume_public=("10.0.0.0/8",))


def test_everything_it_may_say(tmp_path: Path) -> None:
    scope = read(GOOD, tmp_path).scope
    first, second = scope.targets
    assert (first.host, second.host) == ("flexi.example.test", "xn--4cab6c.example.test")
    assert first.addresses == ("192.0.2.10", "2001:db8::10")
    assert (first.origins, first.apps, first.ports) == (
        ("198.51.100.7",),
        ("presentity", "mobile"),
        ("telephony-manager",),
    )
    assert (first.http_port, first.https_port, first.mitai_ports) == (80, 8443, (12345,))
    assert (scope.exclude_networks, scope.exclude_ports) == (("203.0.113.0/24",), (3389,))
    assert (scope.rates.udp_pps, scope.rates.http_rps) == (50, 20)
    assert [a.rule for a in scope.attestations] == ["host.backup", "host.antivirus"]
    assert scope.authorisation.reference == "T-17"
    call = first.test_call
    assert call is not None
    assert (call.addresses, call.ports, call.agreed_by) == (("192.0.2.10",), (40100, 40102), "B. Berg")
    assert call.until == dt.datetime(2026, 11, 3).astimezone()
    assert second.test_call is None
    assert scope.assume_public == ("10.0.0.0/8",)


def test_a_test_call_may_be_a_table_of_its_own(tmp_path: Path) -> None:
    inline = next(line for line in GOOD.splitlines() if line.startswith("test_call"))
    rows = ["[target.test_call]", 'addresses = ["198.51.100.7"]', "ports = [40100]", 'agreed_by = "B. Berg"']
    text = GOOD.replace(inline, "\n".join([*rows, "until = 2026-11-02T18:00:00+01:00"]))
    (first, _) = read(text, tmp_path).scope.targets
    assert first.test_call is not None
    assert first.test_call.until == dt.datetime(2026, 11, 2, 17, tzinfo=dt.UTC)
    wrong = text.replace("ports = [40100]", "ports = [1]")
    line = wrong[: wrong.index("ports = [1]")].count("\n") + 1
    with pytest.raises(UsageError, match=f"line {line}: .*1024"):
        read(wrong, tmp_path)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    one, other = read(GOOD, tmp_path), read(GOOD + "\n", tmp_path)
    assert len(one.sha256) == 64
    assert one.sha256 != other.sha256


def test_the_last_day_counts_and_the_next_does_not(tmp_path: Path) -> None:
    read(GOOD, tmp_path)
    with pytest.raises(ScopeRefused, match="ended on 2026-11-01"):
        read(GOOD.replace("valid_until = 2026-11-02", "valid_until = 2026-11-01"), tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('customer = "Example AB"', 'costumer = "Example AB"', "unknown key"),
        ("schema = 1", "schema = 1\ncolour = 1", "unknown key"),
        ("https_port = 8443", "https_prot = 8443", "unknown key"),
        ('host = "åäö.example.test"', 'host = "åäö.example.test"\nhots = "x"', "unknown key"),
        ("udp_pps = 50", "udp_pbs = 50", "unknown key"),
        ("ports = [3389]", "prots = [3389]", "unknown key"),
        ('note = "yearly"', 'notes = "yearly"', "unknown key"),
        ("on = 2026-10-01", 'on = "yesterday"', "date"),
        ("udp_pps = 50", "udp_pps = 2001", "less than or equal to 2000"),
        ("https_port = 8443", "https_port = 0", "greater than or equal to 1"),
        ('origins = ["198.51.100.7"]', 'origins = ["198.51.100.700"]', "198.51.100.700"),
        ('networks = ["203.0.113.0/24"]', 'networks = ["203.0.113.1/24"]', "host bits"),
        ('window = "22:00-05:00 Europe/Stockholm"', 'window = "22-05"', "time window"),
        ('window = "22:00-05:00 Europe/Stockholm"', 'window = "22:00-05:00 Mars/Base"', "Mars/Base"),
        ('ports = ["telephony-manager"]', 'ports = ["telephone"]', "telephony-manager"),
        ('host = "Flexi.Example.TEST."', 'host = "https://flexi.example.test"', "not a host name"),
        ("valid_until = 2026-11-02", 'valid_until = "2026-11-02"', "date"),
        ("ports = [40100, 40102]", "ports = [80]", "greater than or equal to 1024"),
        ("ports = [40100, 40102]", "ports = [40100, 40100]", "stands there twice"),
        ("ports = [40100, 40102]", "ports = []", "at least 1"),
        ("ports = [40100, 40102]", f"ports = {list(range(40000, 40017))}", "at most 16"),
        ("until = 2026-11-02 }", "until = 2026-11-02T18:00:00 }", "time zone"),
        ("until = 2026-11-02 }", 'until = "2026-11-02" }', "without quotes"),
        ('agreed_by = "B. Berg"', 'agreed_by = ""', "at least 1 character"),
        ('agreed_by = "B. Berg"', 'agreed = "B. Berg"', "unknown key"),
        ('{ addresses = ["192.0.2.10"]', '{ addresses = ["192.0.2.11"]', "neither in addresses nor in origins"),
        ('authorised_by = "A. Svensson, CIO"', 'authorised_by = ""', "at least 1 character"),
    ],
)
def test_a_slip_is_named_with_its_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    line = text[: text.index(new) + len(new)].count("\n") + 1
    with pytest.raises(UsageError) as caught:
        read(text, tmp_path)
    assert f"{tmp_path / 'scope.toml'}, line {line}: " in caught.value.cause
    assert words in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "", "schema"),
        ("schema = 1", "schema = 2", "schema"),
        ('authorised_by = "A. Svensson, CIO"', "", "authorised_by"),
        ('host = "åäö.example.test"', 'host = "flexi.example.test"', "stands there twice"),
        ("on = 2026-10-01", "on = 2026-11-03", "still to come"),
        ("on = 2026-10-01", "", "on"),
        ("[rates]", "[rates", "scope.toml"),
        ("udp_pps = 50", "udp_pps = 50\nudp_pps = 60", "scope.toml"),
        ("[exclude]", "[[target]]", "target"),
    ],
)
def test_what_is_missing_or_contradicts_itself(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(UsageError) as caught:
        read(GOOD.replace(old, new), tmp_path)
    assert words in caught.value.cause


@pytest.mark.parametrize("table", ["attest = 3", "attest = []", "target = 3", "exclude = 1", "rates = []", ""])
def test_a_table_of_another_kind(table: str, tmp_path: Path) -> None:
    text = f'schema = 1\n{table}\n[authorisation]\nauthorised_by = "A"\n'
    with pytest.raises(UsageError):
        read(text, tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "scope.toml").write_bytes(b"schema = 1\n\xff\xfe")
    with pytest.raises(UsageError):
        read_scope_file(tmp_path / "scope.toml", today=TODAY)


def test_every_slip_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("udp_pps = 50", "udp_pbs = 50").replace("schema = 1", "schema = 1\ncolour = 1")
    with pytest.raises(UsageError) as caught:
        read(text, tmp_path)
    assert len(caught.value.cause.splitlines()) == 2

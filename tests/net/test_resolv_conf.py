"""resolv.conf(5) as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flexiscan.net import resolv_conf
from flexiscan.net.resolv_conf import parse_resolv_conf, read_resolver_list, system_resolvers


def test_both_families_in_order():
    text = "search example.test\nnameserver 192.0.2.53\nnameserver\t2001:DB8:0::53\noptions edns0\n"
    assert parse_resolv_conf(text).resolvers == ("192.0.2.53#53", "2001:db8::53#53")


def test_comments_and_other_lines_say_nothing():
    text = "# nameserver 192.0.2.1\n; nameserver 192.0.2.2\nnameserver\n  \nNAMESERVER 192.0.2.3\nx nameserver 1.1.1.1"
    assert parse_resolv_conf(text).resolvers == ()


def test_what_stands_behind_the_address_is_ignored():
    assert parse_resolv_conf("nameserver 192.0.2.53 # office").resolvers == ("192.0.2.53#53",)


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ("fe80::1%eth0", "scope id"),
        ("fe80::1", "link-local"),
        ("dns.example.test", "not an IP address"),
        ("192.0.2", "not an IP address"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_reason(entry: str, word: str):
    read = parse_resolv_conf(f"nameserver {entry}\nnameserver 192.0.2.53\n")
    assert read.resolvers == ("192.0.2.53#53",)
    assert [(one.entry, word in one.reason) for one in read.skipped] == [(entry, True)]


def test_a_resolver_without_a_route_is_left_out():
    read = parse_resolv_conf("nameserver 2001:db8::53\nnameserver 192.0.2.53\n", lambda address: "." in address)
    assert read.resolvers == ("192.0.2.53#53",)
    assert [(one.entry, "no route" in one.reason) for one in read.skipped] == [("2001:db8::53", True)]


def test_the_system_is_asked_for_the_route(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resolv_conf, "source_address", lambda address: "192.0.2.1" if "." in address else None)
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver ::1\nnameserver 127.0.0.53\n")
    assert system_resolvers(path) == ("127.0.0.53#53",)


def test_only_the_first_three_are_used():
    text = "".join(f"nameserver 192.0.2.{number}\n" for number in range(1, 6))
    read = parse_resolv_conf(text)
    assert read.resolvers == ("192.0.2.1#53", "192.0.2.2#53", "192.0.2.3#53")
    assert [one.entry for one in read.skipped] == ["192.0.2.4", "192.0.2.5"]


def test_the_same_resolver_twice_is_asked_once():
    assert parse_resolv_conf("nameserver ::1\nnameserver 0:0::1\n").resolvers == ("::1#53",)


def test_a_missing_file_is_no_resolver(tmp_path: Path):
    assert system_resolvers(tmp_path / "resolv.conf") == ()


def test_a_file(tmp_path: Path):
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"\xff\xfe\nnameserver 127.0.0.53\n")
    assert system_resolvers(path) == ("127.0.0.53#53",)
    assert read_resolver_list(path).skipped == ()


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path):
    with pytest.raises(OSError, match="directory"):
        system_resolvers(tmp_path)

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.net.wall_address import destinations, is_local_only, is_never_a_target, read_literal, read_network


@pytest.mark.parametrize(
    "text",
    [
        "0", "127.1", "0x7f000001", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1 ", " 127.0.0.1", "127.0.0.1\n",
        "127.0.0.1\x00", "127.0.0.01", "１２７.0.0.1", "127。0。0。1", "localhost", "", "[::1]",
        "::1%lo", "fe80::1%eth0",
        "::ffff:127.1", "<broadcast>", "127.0.0.1:80", "127.0.0.1/32", "2001:db8::1%25eth0",
    ],
)  # fmt: skip
def test_only_canonical_spellings_are_addresses(text: str) -> None:
    assert read_literal(text) is None


def test_ipv4_inside_ipv6_is_what_the_kernel_makes_of_it() -> None:
    assert read_literal("::ffff:127.0.0.1") == ipaddress.ip_address("127.0.0.1")
    assert read_literal("::FFFF:7f00:1") == ipaddress.ip_address("127.0.0.1")
    assert read_network("::ffff:192.0.2.0/120") == ipaddress.ip_network("192.0.2.0/24")


@pytest.mark.parametrize(
    "carrier",
    ["64:ff9b::c000:201", "2002:c000:0201::1", "2001:0:0:0:0:0:3fff:fdfe", "::192.0.2.1"],
)
def test_the_ipv4_address_behind_a_translator_or_tunnel_is_seen(carrier: str) -> None:
    literal = read_literal(carrier)
    assert literal is not None
    assert ipaddress.ip_address("192.0.2.1") in destinations(literal)


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "240.0.0.1", "::", "ff02::1", "64:ff9b:1::1"]
)
def test_some_addresses_are_never_a_target(text: str) -> None:
    assert is_never_a_target(ipaddress.ip_address(text))


def test_loopback_and_link_local_stay_here() -> None:
    assert all(is_local_only(ipaddress.ip_address(text)) for text in ("127.9.9.9", "::1", "169.254.1.1", "fe80::1"))
    assert not is_local_only(ipaddress.ip_address("192.0.2.1"))


@given(st.text(max_size=50))
def test_whatever_is_read_is_the_canonical_address(text: str) -> None:
    literal = read_literal(text)
    if literal is not None:
        assert ipaddress.ip_address(text.lower()) in (
            literal,
            ipaddress.IPv6Address(f"::ffff:{literal}") if literal.version == 4 else literal,
        )


@given(st.integers(0, 2**128 - 1))
def test_every_ipv6_number_has_a_last_destination(number: int) -> None:
    literal = read_literal(str(ipaddress.IPv6Address(number)))
    assert literal is not None
    assert destinations(literal)[0] == literal

from __future__ import annotations

import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.endpoint import Transport
from flexiscan.net.wall import (
    MAX_BREACHES_KEPT,
    Opening,
    ScopeViolation,
    ScopeWall,
    open_dns_server,
    open_public_dns,
    open_target,
)
from tests.virtual_clock import VirtualClock, run_virtually

TARGET = "203.0.113.10"
TARGET6 = "2001:db8::10"

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
ports = st.integers(0, 65535)
transports: st.SearchStrategy[Transport] = st.sampled_from(("tcp", "udp"))


def test_a_wall_without_openings_stops_everything() -> None:
    assert not ScopeWall().permits(TARGET, 443, "tcp")


def test_a_target_is_open_on_every_port_for_both_transports() -> None:
    wall = ScopeWall((*open_target(TARGET), *open_target(TARGET6)))
    assert wall.permits(TARGET, 443, "tcp")
    assert wall.permits(TARGET6, 40000, "udp")
    assert not wall.permits("203.0.113.11", 443, "tcp")


def test_a_dns_server_is_open_for_dns_alone() -> None:
    wall = ScopeWall(open_dns_server("198.51.100.53", port=5353))
    assert wall.permits("198.51.100.53", 5353, "udp")
    assert wall.permits("198.51.100.53", 5353, "tcp")
    assert not wall.permits("198.51.100.53", 53, "udp")
    assert not wall.permits("198.51.100.53", 443, "tcp")


def test_exclusions_win() -> None:
    wall = ScopeWall(
        (*open_target(TARGET), *open_target(TARGET6), *open_dns_server("203.0.113.53")),
        exclude_networks=("203.0.113.0/24",),
        exclude_ports=(5060,),
    )
    assert not wall.permits(TARGET, 443, "tcp")
    assert not wall.permits("203.0.113.53", 53, "udp")
    assert not wall.permits(TARGET6, 5060, "udp")
    assert wall.permits(TARGET6, 443, "tcp")


def test_an_excluded_network_is_excluded_in_every_spelling() -> None:
    everything = [Opening(n, t) for n in ("0.0.0.0/0", "::/0") for t in ("tcp", "udp")]
    for excluded in ("192.0.2.128/25", "::ffff:192.0.2.128/121"):
        wall = ScopeWall(everything, exclude_networks=(excluded,))
        for spelling in ("192.0.2.200", "::ffff:192.0.2.200", "64:ff9b::c000:2c8", "2002:c000:02c8::1"):
            assert not wall.permits(spelling, 443, "tcp"), spelling
        assert wall.permits("192.0.2.1", 443, "tcp")


def test_loopback_needs_an_opening_of_its_own() -> None:
    wide = [Opening("0.0.0.0/0", "tcp"), Opening("::/0", "tcp")]
    for loopback in ("127.0.0.1", "127.0.0.99", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "169.254.1.1", "fe80::1"):
        assert not ScopeWall(wide).permits(loopback, 80, "tcp"), loopback
    named = ScopeWall(open_target("127.0.0.1"))
    assert named.permits("127.0.0.1", 80, "tcp")
    assert not named.permits("127.0.0.99", 80, "tcp")
    assert not named.permits("::1", 80, "tcp")


def test_what_names_no_single_machine_cannot_be_opened() -> None:
    for nobody in ("0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "64:ff9b:1::1"):
        assert not ScopeWall(open_target(nobody)).permits(nobody, 53, "udp"), nobody


def test_public_dns_is_open_at_public_addresses_only() -> None:
    wall = ScopeWall(open_public_dns())
    assert wall.permits("198.41.0.4", 53, "udp")
    assert wall.permits("2001:503:ba3e::2:30", 53, "tcp")
    assert not wall.permits("198.41.0.4", 853, "tcp")
    for private in ("10.0.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "64:ff9b::a00:1", "203.0.113.1"):
        assert not wall.permits(private, 53, "udp"), private


def test_an_ipv4_opening_also_opens_the_mapped_spelling_and_nothing_else() -> None:
    wall = ScopeWall(open_target(TARGET))
    assert wall.permits(f"::ffff:{TARGET}", 443, "tcp")
    assert not wall.permits("64:ff9b::cb00:710a", 443, "tcp")


def test_a_target_behind_nat64_needs_both_openings() -> None:
    translated = "64:ff9b::cb00:710a"
    assert not ScopeWall(open_target(translated)).permits(translated, 443, "tcp")
    assert ScopeWall((*open_target(translated), *open_target(TARGET))).permits(translated, 443, "tcp")


def test_a_window_is_open_at_its_hours() -> None:
    async def at_noon(window: str) -> str:
        wall = ScopeWall(open_target(TARGET, window=window), clock=VirtualClock())
        try:
            wall.check(TARGET, 443, "tcp")
        except ScopeViolation as violation:
            return violation.reason
        return ""

    assert run_virtually(at_noon("11:00-13:00 UTC")) == ""
    assert run_virtually(at_noon("13:00-14:00 UTC")) == "outside-window"


def test_a_violation_is_a_permission_error_and_is_noted() -> None:
    wall = ScopeWall(open_target(TARGET))
    wall.check(TARGET, 443, "tcp")
    with pytest.raises(PermissionError, match=r"outside-scope: udp 192\.0\.2\.1 53"):
        wall.check("192.0.2.1", 53, "udp")
    (breach,) = wall.breaches
    assert (breach.event, breach.destination, breach.reason) == ("check", "udp 192.0.2.1 53", "outside-scope")


def test_a_wider_wall_shares_the_breaches_and_leaves_the_first_as_it_was() -> None:
    first = ScopeWall(open_dns_server("198.51.100.53"), exclude_ports=(22,))
    second = first.opened(*open_target(TARGET))
    assert second.permits(TARGET, 443, "tcp")
    assert second.permits("198.51.100.53", 53, "udp")
    assert not second.permits(TARGET, 22, "tcp")
    assert not first.permits(TARGET, 443, "tcp")
    with pytest.raises(ScopeViolation):
        second.check("192.0.2.1", 1, "tcp")
    assert len(first.breaches) == 1


def test_breaches_do_not_fill_the_memory() -> None:
    wall = ScopeWall()
    for _ in range(MAX_BREACHES_KEPT + 5):
        with pytest.raises(ScopeViolation):
            wall.check(TARGET, 1, "tcp")
    assert len(wall.breaches) == MAX_BREACHES_KEPT


@pytest.mark.parametrize("network", ["not-an-address", "203.0.113.10/24", "203.0.113.0/33", "localhost"])
def test_an_opening_that_cannot_be_read_is_an_error(network: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ScopeWall((Opening(network, "tcp"),))
    with pytest.raises(ValueError, match=r"."):
        ScopeWall(exclude_networks=(network,))


@pytest.mark.parametrize("host", [None, 0, 2130706433, ("127.0.0.1",), b"localhost", "0", "127.1", object()])
def test_strange_hosts_are_stopped(host: object) -> None:
    wall = ScopeWall(open_target("127.0.0.1"))
    with pytest.raises(ScopeViolation):
        wall.check_destination("test", host, 80, "tcp")


def test_bytes_are_read_like_text() -> None:
    ScopeWall(open_target("127.0.0.1")).check_destination("test", b"127.0.0.1", 80, "tcp")


@pytest.mark.parametrize("port", ["80", None, 80.0, b"80"])
def test_strange_ports_are_stopped(port: object) -> None:
    with pytest.raises(ScopeViolation):
        ScopeWall(open_target("127.0.0.1")).check_destination("test", "127.0.0.1", port, "tcp")


@given(address=addresses, port=ports, transport=transports)
def test_no_address_but_the_target_is_ever_permitted(address: str, port: int, transport: Transport) -> None:
    wall = ScopeWall((*open_target(TARGET), *open_target(TARGET6)))
    assert wall.permits(address, port, transport) == (address in (TARGET, TARGET6))


@given(host=st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.floats()), port=st.one_of(ports, st.text()))
def test_the_wall_decides_about_anything_without_failing(host: object, port: object) -> None:
    wall = ScopeWall(open_target("127.0.0.1"))
    try:
        wall.check_destination("fuzz", host, port, "tcp")
    except ScopeViolation:
        return
    text = host.decode() if isinstance(host, bytes) else host
    assert isinstance(text, str)
    assert ipaddress.ip_address(text) in (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::ffff:127.0.0.1"))


@given(
    openings=st.lists(
        st.builds(
            Opening,
            network=addresses,
            transport=transports,
            ports=st.one_of(st.none(), st.lists(ports, max_size=3).map(tuple)),
            window=st.sampled_from((None, "01:00-05:00 Europe/Stockholm")),
            only_public=st.booleans(),
        ),
        max_size=4,
    ),
    excluded=st.lists(addresses, max_size=2),
    excluded_ports=st.lists(ports, max_size=2),
    asked=st.tuples(addresses, ports, transports),
)
def test_a_wall_is_the_same_after_json(
    openings: list[Opening], excluded: list[str], excluded_ports: list[int], asked: tuple[str, int, Transport]
) -> None:
    wall = ScopeWall(openings, exclude_networks=excluded, exclude_ports=excluded_ports)
    copy = ScopeWall.from_json(wall.to_json())
    assert copy.to_json() == wall.to_json()
    for question in (asked, *((o.network, p, o.transport) for o in openings for p in (o.ports or (443,)))):
        assert copy.permits(*question) == wall.permits(*question)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"openings": [{"network": "::1"}]})])
def test_rules_that_are_no_rules_are_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        ScopeWall.from_json(text)

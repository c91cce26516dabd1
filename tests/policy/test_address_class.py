"""The address table: rows, edges of the networks, embedded addresses, and the standard library beside it."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.policy.dns.address_class import classify, disclosure_of, is_public
from flexiscan.policy.dns.special_networks import IPV4_NETWORKS, IPV6_NETWORKS, SpecialNetwork

PUBLIC = ["8.8.8.8", "193.10.0.1", "100.128.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.255", "9.255.255.255"]
PUBLIC_V6 = ["2a00:1450:4001::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "3ffe::1", "3fff:1000::1"]

SPECIAL = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "this-network",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "carrier-grade-nat",
    "100.127.255.255": "carrier-grade-nat",
    "127.0.0.1": "loopback",
    "169.254.1.1": "link-local",
    "192.0.0.5": "service-continuity",
    "192.0.0.8": "dummy",
    "192.0.0.9": "protocol-anycast",
    "192.0.0.77": "protocol-assignment",
    "192.0.0.170": "nat64-discovery",
    "192.0.2.1": "documentation",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "192.88.99.1": "6to4-relay",
    "192.88.99.2": "6a44-relay",
    "198.19.255.255": "benchmarking",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::8.8.8.8": "ipv4-compatible",
    "::ffff:8.8.8.8": "ipv4-mapped",
    "64:ff9b::a00:1": "nat64",
    "64:ff9b:1::a00:1": "nat64-local",
    "100::1": "discard-only",
    "100:0:0:1::1": "dummy",
    "100:0:0:2::1": "unallocated",
    "2001::1": "teredo",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "teredo",
    "2001:1::1": "protocol-anycast",
    "2001:1::4": "protocol-assignment",
    "2001:2::1": "benchmarking",
    "2001:10::1": "orchid",
    "2001:2f:ffff::1": "orchid",
    "2001:30::1": "drone-id",
    "2001:db8::1": "documentation",
    "2002:c000:204::1": "6to4",
    "3fff:fff:ffff::1": "documentation",
    "4000::1": "unallocated",
    "5f00::1": "srv6-sid",
    "fc00::1": "unique-local",
    "fdff:ffff::1": "unique-local",
    "fe80::1": "link-local",
    "febf::1": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "fe00::1": "unallocated",
    "200::1": "unallocated",
}


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_V6)
def test_public(address: str):
    assert classify(address).code == "global"
    assert is_public(address)


@pytest.mark.parametrize(("address", "code"), SPECIAL.items())
def test_special(address: str, code: str):
    assert classify(address).code == code
    assert not is_public(address)


@pytest.mark.parametrize("row", IPV4_NETWORKS + IPV6_NETWORKS, ids=lambda row: row.network)
def test_every_row_is_found_at_both_ends_unless_a_longer_one_stands_there(row: SpecialNetwork):
    network = ipaddress.ip_network(row.network)
    for address in (network[0], network[-1]):
        of = classify(str(address))
        assert ipaddress.ip_network(of.network).subnet_of(network)  # type: ignore[arg-type]  # same version
        assert not of.public or row.network == "::/0"


@pytest.mark.parametrize("table", [IPV4_NETWORKS, IPV6_NETWORKS], ids=["ipv4", "ipv6"])
def test_no_network_stands_twice_and_every_row_names_its_source(table: tuple[SpecialNetwork, ...]):
    assert len({row.network for row in table}) == len(table)
    assert all(row.source.startswith("RFC ") for row in table)


EMBEDDED = {
    "::ffff:10.0.0.1": "10.0.0.1",
    "::192.168.0.1": "192.168.0.1",
    "64:ff9b::a00:1": "10.0.0.1",
    "2002:a00:1::5": "10.0.0.1",
    # RFC 4380 4 and its well-known example: client 192.0.2.45 behind server 65.54.227.120.
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "192.0.2.45",
    "64:ff9b:1::a00:1": None,
    "2001:db8::1": None,
    "10.0.0.1": None,
}


@pytest.mark.parametrize(("address", "inside"), EMBEDDED.items())
def test_embedded_ipv4(address: str, inside: str | None):
    assert classify(address).embedded_ipv4 == inside


def test_assumed_public_networks_win():
    lab = ("192.0.2.0/24", "2001:db8::/32")
    assert is_public("192.0.2.10", lab)
    assert is_public("2001:db8:2::10", lab)
    assert not is_public("198.51.100.1", lab)
    assert is_public("10.0.0.1", ("10.0.0.1",))


@pytest.mark.parametrize("text", ["", "flexi.example", "1.2.3", "1.2.3.4/24", "::g"])
def test_anything_else_is_an_error(text: str):
    with pytest.raises(ValueError, match="does not appear to be"):
        classify(text)


def test_disclosures():
    assert disclosure_of("2a00:1:2:3:211:22ff:fe33:4455") == "mac-address"
    assert disclosure_of("2a00:1:2:3::c0a8:105") == "private-ipv4"
    assert disclosure_of("2a00:1:2:3::10") == ""
    assert disclosure_of("2a00:1:2:3:1:0:c0a8:105") == ""
    assert disclosure_of("10.0.0.1") == ""


# Where we and ipaddress.is_global differ, and why. The standard library changes its mind between releases
# (2002::/16, 64:ff9b:1::/48 and 2001:20::/28 do so from 3.11 to 3.13), so rows may also agree.
DIFFERENT_ON_PURPOSE = {
    "protocol-anycast": "reachable, but an anycast service of a protocol: nobody's server",
    "as112": "reachable, but the sink for reverse lookups of private addresses",
    "multicast-tunnelling": "reachable, but relays of AMT",
    "6to4-relay": "the registry entry ended in 2015 without a statement",
    "6a44-relay": "the registry says not reachable",
    "multicast": "is_global says that multicast may leave the site; no server has such an address",
    "unallocated": "is_global knows only what is registered as special",
    "ipv4-compatible": "deprecated by RFC 4291, not in the registry",
    "site-local": "deprecated by RFC 3879, not in the registry",
    "nat64": "made by a translator on the way; no server has such an address",
    "nat64-local": "wrong in 3.11 and 3.12 before their fix",
    "ipv4-mapped": "never on the wire; newer releases look at the IPv4 address inside",
    "6to4": "the registry says N/A; older releases say global",
    "teredo": "the registry says N/A",
    "orchid": "identifiers, no locators",
    "drone-id": "identifiers, no locators",
    "dummy": "RFC 9780 is younger than the library",
    "documentation": "RFC 9637 (3fff::/20) is younger than the library",
    "srv6-sid": "RFC 9602 is younger than the library",
    "protocol-assignment": "3.11 knows parts of 192.0.0.0/24 only",
    "reserved": "240.0.0.0/4 differs between releases",
}


def _edges() -> list[str]:
    """First and last address of every network, and their neighbours outside."""
    found = []
    for row in IPV4_NETWORKS + IPV6_NETWORKS:
        network = ipaddress.ip_network(row.network)
        kind = type(network[0])
        highest = 2**network.max_prefixlen - 1
        first, last = int(network[0]), int(network[-1])
        found += [str(kind(n)) for n in (first - 1, first, last, last + 1) if 0 <= n <= highest]
    return sorted(set(found))


@pytest.mark.parametrize("address", _edges())
def test_agrees_with_the_standard_library_but_for_listed_reasons(address: str):
    of = classify(address)
    if ipaddress.ip_address(address).is_global != of.public:
        assert of.code in DIFFERENT_ON_PURPOSE


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_every_address_has_a_class_and_what_we_call_public_is_global(address: ipaddress.IPv4Address):
    of = classify(str(address))
    assert address in ipaddress.ip_network(of.network)
    if of.public and int(address) >> (address.max_prefixlen - 16) != 0x3FFF:
        assert address.is_global


@given(st.integers(0, 2**128 - 1))
def test_outside_the_unicast_space_nothing_is_public(number: int):
    address = ipaddress.IPv6Address(number)
    if address not in ipaddress.IPv6Network("2000::/3"):
        assert not is_public(str(address))


def test_longest_prefix_wins():
    for shorter, longer in itertools.permutations(IPV4_NETWORKS + IPV6_NETWORKS, 2):
        outer, inner = ipaddress.ip_network(shorter.network), ipaddress.ip_network(longer.network)
        if outer.version == inner.version and inner.subnet_of(outer):  # type: ignore[arg-type]
            found = ipaddress.ip_network(classify(str(inner[0])).network)
            assert found.prefixlen >= inner.prefixlen

"""A lab without namespaces: other addresses and ports, everything else the same."""

from __future__ import annotations

import socket
import tomllib
from dataclasses import replace
from urllib.parse import urlsplit

import dns.message
import dns.query
import pytest

from flexiscan_lab.errors import Unavailable
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenario import ScannerPicture, Scenario
from flexiscan_lab.scenarios import ALL
from flexiscan_lab.scenarios.base import NO_FIREWALL
from tests.lab.visiting import get, visit

OPEN = replace(ALL["as_delivered"], firewall4=NO_FIREWALL, firewall6=NO_FIREWALL)
HARDENED = replace(ALL["hardened"], firewall4=NO_FIREWALL, firewall6=NO_FIREWALL)


def resolve(lab: Lab, kind: str) -> str:
    address, _, port = lab.resolver.partition("#")
    response = dns.query.udp(dns.message.make_query(lab.host, kind), address, port=int(port), timeout=5)
    return str(response.answer[0][0])


def test_the_same_pages_at_other_places() -> None:
    with Lab.start(HARDENED, "loopback") as lab:
        ipv4, ipv6 = resolve(lab, "A"), resolve(lab, "AAAA")
        (target,) = tomllib.loads(lab.scope_file.read_text())["target"]
        http, https = target["http_port"], target["https_port"]
        steps = [get(address, "/Presentity/", port=https, ca=str(lab.ca_bundle)) for address in (ipv4, ipv6)]
        page4, page6, clear = visit(lab, *steps, {k: v for k, v in get(ipv4, "/", port=http).items() if k != "tls"})
    assert ipv4.startswith("127.")
    assert ipv6 == "::1"
    assert target["addresses"] == [ipv4, ipv6]
    assert "<title>Presentity</title>" in page4["data"]
    assert "<title>Presentity</title>" in page6["data"]
    location = next(line for line in clear["data"].split("\r\n") if line.startswith("Location: "))
    assert urlsplit(location.removeprefix("Location: ")).port == https


def test_two_labs_on_loopback_do_not_meet() -> None:
    with Lab.start(OPEN, "loopback") as first, Lab.start(HARDENED, "loopback") as second:
        assert first.resolver != second.resolver
        assert resolve(first, "A") != resolve(second, "A")
        assert first.place.https_port != second.place.https_port


def test_the_ports_are_free_again() -> None:
    with Lab.start(OPEN, "loopback") as lab:
        address, port = resolve(lab, "A"), lab.place.https_port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port), 1).close()


@pytest.mark.parametrize(
    "scenario",
    [
        ALL["hardened"],
        replace(HARDENED, scanner=ScannerPicture(ipv6=False)),
        ALL["everything_answers"],
        replace(HARDENED, inner_router=True),
    ],
    ids=["firewall", "scanner", "host filter", "router"],
)
def test_what_needs_a_packet_filter_is_unavailable(scenario: Scenario) -> None:
    with pytest.raises(Unavailable, match="needs network namespaces"), Lab.start(scenario, "loopback"):
        pytest.fail("it started")


def test_counting_needs_namespaces() -> None:
    with Lab.start(HARDENED, "loopback") as lab, pytest.raises(Unavailable, match="counting packets"):
        lab.counters()

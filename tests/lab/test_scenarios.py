"""The scenarios as data: complete, named as promised, with expectations that can be read."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from flexiscan_lab.dns_server import DnsService
from flexiscan_lab.expectation import read_expectation
from flexiscan_lab.ground.place import namespace_place
from flexiscan_lab.pki import Authority
from flexiscan_lab.process import read_picture
from flexiscan_lab.scenario import Certificate, Scenario
from flexiscan_lab.scenarios import ALL
from flexiscan_lab.scope_file import write_scope
from flexiscan_lab.serve import datagram_port, stream_talk
from flexiscan_lab.server_plan import plan_servers
from flexiscan_lab.servers.picture import IssuedCertificate, ServerPicture
from flexiscan_lab.servers.web import RequestTally

PROMISED = [
    "hardened",
    "as_delivered",
    "admin_open_only_over_ipv6",
    "admin_open_only_on_4443",
    "admin_login_page_for_every_path",
    "sip_open_on_udp",
    "one_rtp_hole",
    "ctstack_page_public",
    "sslv3_offered",
    "certificate_expired",
    "certificate_self_signed",
    "certificate_wrong_name",
    "certificate_chain_incomplete",
    "no_aaaa",
    "private_address_in_dns",
    "scanner_without_ipv6",
    "target_down",
    "firewall_blocks_mid_scan",
    "proxy_bans_with_404",
    "tarpit_on_443",
    "hostile_headers",
    "port_unreachable_firewall",
    "no_firewall",
    "demo",
]
EXIT_CODES = {0, 1, 3}


def test_the_promised_scenarios_exist() -> None:
    assert set(PROMISED) <= set(ALL)


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL)
def test_a_scenario_says_what_must_be_found(scenario: Scenario) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", scenario.name)
    assert scenario.title
    assert scenario.expectations
    assert scenario.exit_codes
    assert scenario.exit_codes <= EXIT_CODES
    for key, value in scenario.expectations.items():
        read_expectation(key, value)


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL)
def test_expectations_and_exit_codes_agree(scenario: Scenario) -> None:
    verdicts = [read_expectation(key, value).verdicts for key, value in scenario.expectations.items()]
    certain = [alternatives[0] for alternatives in verdicts if len(alternatives) == 1]
    if any(verdict.startswith("fail/") for verdict in certain):
        assert 0 not in scenario.exit_codes
    if 0 in scenario.exit_codes:
        assert all(verdict.startswith(("pass/", "inconclusive/no-exposure-seen")) for verdict in certain)


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL)
def test_every_service_is_once_and_on_one_port(scenario: Scenario) -> None:
    for _, picture in scenario.pictures():
        places = [(service.transport, service.port) for service in picture.services]
        assert len(places) == len(set(places))


class NoAuthority(Authority):
    """Hands out the same files for every certificate."""

    def __init__(self, issued: IssuedCertificate) -> None:
        self._issued = issued

    def issue(self, certificate: Certificate, host: str) -> IssuedCertificate:
        assert host == "flexi.example.test"
        return replace(self._issued, certificate=certificate)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("pki")
    return NoAuthority(Authority(folder, dt.datetime.now(dt.UTC)).issue(Certificate(), "flexi.example.test"))


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL)
def test_every_listener_has_a_server(scenario: Scenario, authority: Authority, tmp_path: Path) -> None:
    servers = plan_servers(scenario, namespace_place("root"), authority, tmp_path)
    names = {process.name for process in servers.processes}
    ours, real = {"dns", "flexi", "ssl3", "wire"}, {"kamailio", "rtpengine-ipv4", "rtpengine-ipv6"}
    assert {"dns", "flexi"} <= names <= ours | real | {"call-ipv4", "call-ipv6"}
    picture = read_picture(ServerPicture, tmp_path / "servers-picture.json")
    for listener in picture.listeners:
        if listener.service.transport == "udp":
            assert datagram_port(listener)
        else:
            assert callable(stream_talk(picture, listener, RequestTally()))
    assert read_picture(DnsService, tmp_path / "dns-picture.json").listen == namespace_place("root").resolvers


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL)
def test_the_scope_file_is_valid_toml(scenario: Scenario) -> None:
    today = dt.date(2026, 1, 31)
    scope = tomllib.loads(write_scope(scenario, namespace_place("root"), today))
    assert scope["schema"] == 1
    assert scope["authorisation"]["valid_until"] == dt.date(2026, 3, 2)
    (target,) = scope["target"]
    assert target["host"] == "flexi.example.test"
    addresses = [ipaddress.ip_address(address) for address in target["addresses"]]
    families = {address.version for address in addresses}
    assert families == {4 if family == "ipv4" else 6 for family, _ in scenario.pictures()}

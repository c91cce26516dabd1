"""The same certificate and encryption at every address, or not: whole scans of made-up hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flexiscan.model.facts import Fact
from flexiscan.model.finding import Finding
from flexiscan.model.plan import Task
from tests.engine.made_up_host import V6, MadeUpHost, certificate, request_for, root, scan_host
from tests.policy import cert_chains
from tests.policy.tls_world import MODERN_SUITES, TlsServer
from tests.policy.web_world import HOST

RULE = "parity.certificate-equal"


def finding(folder: Path, **ipv6: Any) -> Finding:
    server = TlsServer(**{"chain": (certificate(),), **ipv6})

    def answer(task: Task, at_s: float) -> Fact | None:
        return server.answer(task.params) if task.probe == "tls.ask" and task.address == V6 else None

    return judged(MadeUpHost(answer), folder)


def judged(host: MadeUpHost, folder: Path) -> Finding:
    document = scan_host(host, request_for(folder / "run", only=(RULE,)))
    (found,) = (f for f in document.targets[0].findings if f.rule == RULE)
    return found


def test_the_same_everywhere(tmp_path: Path) -> None:
    found = finding(tmp_path)
    assert (found.verdict, found.result) == ("pass", "equal")
    assert found.params["versions"] == ["TLSv1.2", "TLSv1.3"]


def test_another_certificate_over_ipv6(tmp_path: Path) -> None:
    other = cert_chains.leaf(root(), dns=(HOST,), key_name="Other")
    found = finding(tmp_path, chain=(other.der,))
    assert (found.verdict, found.result, found.confidence) == ("fail", "certificates-differ", "confirmed")
    assert len(found.params["shown"]) == 2


def test_an_old_version_over_ipv6_alone(tmp_path: Path) -> None:
    found = finding(tmp_path, suites={**MODERN_SUITES, "TLSv1.0": (0xC013,)})
    assert (found.verdict, found.result) == ("fail", "versions-differ")
    assert found.params["versions"] == ["TLSv1.0"]


def test_another_suite_over_ipv6_alone(tmp_path: Path) -> None:
    suites = {**MODERN_SUITES, "TLSv1.2": (*MODERN_SUITES["TLSv1.2"], 0x009C)}
    found = finding(tmp_path, suites=suites)
    assert (found.verdict, found.result, found.severity) == ("fail", "suites-differ", "low")
    assert found.params["shown"] == [f"{V6}: TLS_RSA_WITH_AES_128_GCM_SHA256"]


@pytest.mark.parametrize("silent_from", [0, 8])
def test_a_server_that_stops_answering_is_no_difference(silent_from: int, tmp_path: Path) -> None:
    found = finding(tmp_path, quirk=lambda number, _: "timeout" if number > silent_from else None)
    assert (found.verdict, found.result) == ("inconclusive", "not-comparable")


def test_a_port_that_one_address_does_not_serve_leaves_nothing_to_compare(tmp_path: Path) -> None:
    found = finding(tmp_path, quirk=lambda *_: "connect-reset")
    assert (found.verdict, found.result) == ("not_applicable", "single-address")


def test_a_host_with_one_address(tmp_path: Path) -> None:
    found = judged(MadeUpHost(names={"A": ("192.0.2.10",)}), tmp_path)
    assert (found.verdict, found.result) == ("not_applicable", "single-address")

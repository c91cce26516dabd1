"""The certificate rules, end to end over facts: what a port showed, judged at a given time against given anchors."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexiscan.model.finding import Finding
from flexiscan.policy.cert import trust
from flexiscan.policy.cert.certificate import read_certificate
from flexiscan.policy.cert.server_name import covers_name
from flexiscan.policy.rules.cert import RULES
from tests.policy.cert_chains import HOST, NOW, Issued, Wish, intermediate, issue, leaf, name, root, sign_again
from tests.policy.tls_world import MODERN_SUITES, Refusal, TlsServer, TlsWorld


def findings(
    chain: Sequence[Issued],
    anchors: Sequence[Issued] = (),
    *,
    host: str = HOST,
    now: dt.datetime = NOW,
    server: TlsServer | None = None,
) -> dict[str, Finding]:
    server = server or TlsServer()
    server.chain = tuple(one.der for one in chain)
    options = {"trust_anchors_pem": "".join(one.pem for one in anchors), "trust_store": "test anchors"}
    return TlsWorld(server, host=host, options=options, now=now).run().findings()


def text(finding: Finding) -> str:
    return f"{finding.verdict} {finding.result}"


def good() -> tuple[list[Issued], list[Issued]]:
    top = root()
    middle = intermediate(top)
    return [leaf(middle), middle], [top]


def test_a_good_certificate_passes_everything() -> None:
    found = findings(*good())
    assert {rule.id: text(found[rule.id]) for rule in RULES} == {
        "cert.trusted": "pass trusted",
        "cert.hostname-matches": "pass matches",
        "cert.in-validity": "pass in-validity",
        "cert.renewal-due": "pass time-left",
        "cert.key-strong": "pass strong",
        "cert.signature-strong": "pass strong",
        "cert.chain-complete": "pass complete",
    }
    assert found["cert.trusted"].params["trust_store"] == "test anchors"
    assert found["cert.trusted"].params["path"][-1] == "CN=Root,O=Test"
    assert found["cert.in-validity"].params["days_left"] == 200


def test_a_tls13_only_server_shows_its_chain_in_a_handshake() -> None:
    server = TlsServer({"TLSv1.3": MODERN_SUITES["TLSv1.3"]})
    found = findings(*good(), server=server)
    assert text(found["cert.trusted"]) == "pass trusted"
    assert any("handshake" in observation for observation in found["cert.trusted"].because)


def test_without_any_certificate_nothing_is_said() -> None:
    found = findings([], [root()])
    assert {text(found[rule.id]) for rule in RULES} == {"inconclusive no-certificate"}


def test_a_leaf_that_cannot_be_read_is_not_judged() -> None:
    server = TlsServer(chain=(b"\x30\x03\x02\x01\x01",))
    found = TlsWorld(server, options={"trust_anchors_pem": root().pem}).run().findings()
    assert {text(found[rule.id]) for rule in RULES} == {"inconclusive unreadable"}


def test_without_anchors_nothing_is_trusted_or_distrusted() -> None:
    assert text(findings(good()[0])["cert.trusted"]) == "inconclusive trust-store-unreadable"


def test_self_signed() -> None:
    own = issue(Wish(name(HOST), "Self", dns=[HOST]))
    found = findings([own], [root()])
    assert text(found["cert.trusted"]) == "fail self-signed"
    assert text(found["cert.hostname-matches"]) == "pass matches"


def test_incomplete_chain_names_what_is_missing() -> None:
    (server, _), anchors = good()
    found = findings([server], anchors)
    assert text(found["cert.trusted"]) == "fail chain-incomplete"
    assert text(found["cert.chain-complete"]) == "fail incomplete"
    assert {found[rule].params["missing"] for rule in ("cert.trusted", "cert.chain-complete")} == {
        "CN=Intermediate,O=Test"
    }


def test_a_chain_in_the_wrong_order_is_trusted_and_yet_named() -> None:
    top = root()
    upper = intermediate(top)
    lower = issue(Wish(name("Lower"), "Lower", ca=True), upper)
    found = findings([leaf(lower), upper, lower], [top])
    assert text(found["cert.trusted"]) == "pass trusted"
    assert text(found["cert.chain-complete"]) == "fail wrong-order"
    assert text(findings([leaf(lower), lower, upper], [top])["cert.chain-complete"]) == "pass complete"


def test_what_a_chain_does_not_need_is_noted() -> None:
    chain, (top,) = good()
    finding = findings([*chain, top], [top])["cert.chain-complete"]
    assert text(finding) == "pass complete"
    assert finding.params["extra"] == ["CN=Root,O=Test"]


def test_the_chain_of_a_certificate_that_nobody_vouches_for_is_not_judged() -> None:
    own = issue(Wish(name(HOST), "Own", dns=[HOST]))
    assert text(findings([own], [root()])["cert.chain-complete"]) == "not_applicable not-trusted"


def test_without_anchors_no_chain_is_complete() -> None:
    assert text(findings(good()[0])["cert.chain-complete"]) == "inconclusive trust-store-unreadable"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOW + dt.timedelta(days=200, seconds=1), "fail expired"),
        (NOW + dt.timedelta(days=200), "pass in-validity"),
        (NOW - dt.timedelta(days=100), "pass in-validity"),
        (NOW - dt.timedelta(days=100, seconds=1), "fail not-yet-valid"),
    ],
)
def test_dates(moment: dt.datetime, expected: str) -> None:
    found = findings(*good(), now=moment)
    assert text(found["cert.in-validity"]) == expected
    assert text(found["cert.trusted"]) == "pass trusted"


@pytest.mark.parametrize(
    ("starts_days", "ends_days", "expected"),
    [
        (-335, 30.5, "pass time-left"),
        (-335, 29, "fail renewal-due"),
        (-70, 23, "fail renewal-due"),
        (-60, 30, "pass time-left"),
        (-27, 20, "pass time-left"),
        (-37, 10, "fail renewal-due"),
        (-90, -1, "fail expired"),
    ],
)
def test_renewal_is_due_earlier_for_longer_lives(starts_days: float, ends_days: float, expected: str) -> None:
    top = root()
    found = findings([leaf(top, starts_days=starts_days, ends_days=ends_days)], [top])
    assert text(found["cert.renewal-due"]) == expected


def test_a_wrong_name_lists_the_names_that_it_has() -> None:
    top = root()
    finding = findings([leaf(top, dns=["www.example.test"], ips=["192.0.2.1"])], [top])["cert.hostname-matches"]
    assert text(finding) == "fail wrong-name"
    assert finding.params["names"] == ["www.example.test", "192.0.2.1"]


def test_a_common_name_alone_is_not_enough() -> None:
    top = root()
    finding = findings([leaf(top, dns=[])], [top])["cert.hostname-matches"]
    assert text(finding) == "fail only-common-name"
    assert finding.params["common_name"] == HOST


def test_a_wildcard_matches_and_is_noted() -> None:
    top = root()
    finding = findings([leaf(top, dns=["*.example.test"])], [top])["cert.hostname-matches"]
    assert text(finding) == "pass matches"
    assert finding.params["wildcard"] is True


def test_an_address_must_stand_in_the_certificate_as_an_address() -> None:
    top = root()
    as_name = findings([leaf(top, dns=["192.0.2.10"])], [top], host="192.0.2.10")
    as_address = findings([leaf(top, dns=[], ips=["2001:db8::10"])], [top], host="2001:db8:0::10")
    assert text(as_name["cert.hostname-matches"]) == "fail wrong-name"
    assert text(as_address["cert.hostname-matches"]) == "pass matches"


@pytest.mark.parametrize(
    ("pattern", "host", "covered"),
    [
        ("flexi.example.test", "FLEXI.Example.test.", True),
        ("*.example.test", "flexi.example.test", True),
        ("*.example.test", "example.test", False),
        ("*.example.test", "a.b.example.test", False),
        ("f*.example.test", "flexi.example.test", False),
        ("*", "flexi", False),
        ("*.test", "example.test", False),
        ("*.*.test", "flexi.example.test", False),
        ("", "flexi.example.test", False),
        ("flexi.example.test", "", False),
        ("xn--strae-oqa.test", "xn--strae-oqa.test", True),
        ("straße.test", "straße.test", False),
        ("*.example.test", ".example.test", False),
        ("example.test\x00.evil.test", "example.test", False),
    ],
)
def test_which_names_cover_which_hosts(pattern: str, host: str, covered: bool) -> None:
    assert covers_name(pattern, host) is covered


@pytest.mark.parametrize(
    ("kind", "expected", "bits"),
    [
        ("rsa1024", "fail weak-key", 1024),
        ("rsa2048", "pass strong", 2048),
        ("ec", "pass strong", 256),
        ("ec224", "fail weak-key", 224),
        ("ed25519", "pass strong", 256),
    ],
)
def test_keys(kind: str, expected: str, bits: int) -> None:
    top = root()
    finding = findings([leaf(top, key_name=f"Leaf {kind}", key_kind=kind)], [top])["cert.key-strong"]
    assert text(finding) == expected
    assert finding.params["bits"] == bits


def test_a_weak_intermediate_counts_and_a_weak_root_does_not() -> None:
    top = root("Weak root", key_kind="rsa1024")
    middle = intermediate(top, "Weak", key_kind="rsa1024")
    assert text(findings([leaf(middle), middle, top], [top])["cert.key-strong"]) == "fail weak-key"
    assert text(findings([leaf(top), top], [top])["cert.key-strong"]) == "pass strong"


@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_old_signatures_fail_and_are_named(digest: str) -> None:
    top = root("RSA root", key_kind="rsa2048")
    found = findings([sign_again(leaf(top), top, digest)], [top])
    assert text(found["cert.signature-strong"]) == "fail weak-signature"
    assert found["cert.signature-strong"].params["hash"] == digest
    assert text(found["cert.trusted"]) == "fail weak-signature"
    assert found["cert.trusted"].params["hash"] == digest


def test_of_two_chains_the_worse_one_decides() -> None:
    top = root()
    fine, bad = leaf(top), leaf(top, dns=["other.test"])
    server = TlsServer({**MODERN_SUITES, "TLSv1.2": (0xC02B, 0xC02F)})

    def chain_by_suite(question: Mapping[str, Any]) -> tuple[str, ...]:
        server.chain = (bad.der if 0xC02B not in question["suites"] else fine.der,)
        return plain(question)

    plain = server._chain
    server._chain = chain_by_suite  # type: ignore[method-assign]
    found = findings([fine], [top], server=server)
    assert text(found["cert.hostname-matches"]) == "fail wrong-name"
    assert text(found["cert.trusted"]) == "pass trusted"


def test_the_stricter_engine_accepting_what_we_reject_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_second_engine_accepts", lambda *_: True)
    finding = findings(good()[0], [root("Other", subject=name("Other", "Other"))])["cert.trusted"]
    assert text(finding) == "inconclusive engines-disagree"
    assert finding.params["cause"] == "unknown-issuer"


@pytest.mark.parametrize("outcome", ["timeout", "connect-silence", "reset", 40, 112])
def test_a_port_without_an_answer_has_no_verdict_on_certificates(outcome: Refusal) -> None:
    found = findings(*good(), server=TlsServer(quirk=lambda number, question: outcome))
    assert {found[rule.id].verdict for rule in RULES} == {"inconclusive"}


@given(st.binary(max_size=400))
def test_reading_a_certificate_never_raises(der: bytes) -> None:
    assert read_certificate(der) is None


damages = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4)


@settings(deadline=None)
@given(damages, st.sampled_from([0, 1]))
def test_a_damaged_chain_is_judged_without_raising(damage: list[tuple[int, int]], which: int) -> None:
    chain, anchors = good()
    ders = [bytearray(one.der) for one in chain]
    for place, value in damage:
        ders[which][place % len(ders[which])] = value
    server = TlsServer(chain=tuple(map(bytes, ders)))
    found = TlsWorld(server, options={"trust_anchors_pem": anchors[0].pem}, now=NOW).run().findings()
    intact = all(bytes(der) == one.der for der, one in zip(ders, chain, strict=True))
    if not intact:
        assert text(found["cert.trusted"]) != "pass trusted"

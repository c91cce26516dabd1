"""An earlier proof beside a later silence: when it is cited, when not, and that it never makes a pass."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from flexiscan.api.proof import proofs_of, read_proof, write_proof
from flexiscan.errors import UsageError
from flexiscan.model.facts import PathHop, TcpPath
from flexiscan.model.finding import Finding
from flexiscan.model.renderer import RenderOptions
from flexiscan.model.result import (
    AuthorisationShown,
    Guide,
    ResultDocument,
    RunFacts,
    TargetResult,
    Tool,
    Vantage,
    VantageFamily,
)
from flexiscan.model.stored_proof import ProvenSilence, SilenceSeen, StoredProof
from flexiscan_reports.text import render
from tests.policy.port_world import FIREWALL, START, V4, V6, PortWorld, canaries, icmp, silent_sweep
from tests.witness.test_proven_rules import BLIND, WitnessedWorld

AVAYA: Any = ("ports.tapi-avaya-unreachable", "udp", 50797)
MEDIA: Any = ("ports.rtp-unreachable", "udp", None)
ROUTER = "203.0.113.1"
NOW = START + dt.timedelta(days=30)


def way(*, router: str = ROUTER, hops: int = 3, speaks: bool = True) -> TcpPath:
    """A walk to a server behind a firewall that is the last router and speaks, or does not."""
    last = PathHop(hop_limit=hops - 1, answer="icmp", icmp=icmp(V4, "ttl", router))
    silent = PathHop(hop_limit=hops - 1, answer="silence")
    return TcpPath(port=443, hops=(last if speaks else silent, PathHop(hop_limit=hops, answer="accepted")))


SEEN = SilenceSeen(server_hops=3, last_router=ROUTER, last_router_hops=2)


def proof(days_before: float = 30, silence: SilenceSeen = SEEN, **changes: Any) -> StoredProof:
    about = {"address": V4, "family": "ipv4", "transport": "udp", **changes.pop("about", {})}
    spans = ((40000, 50000), (50797, 50797))
    return StoredProof(
        host=changes.pop("host", "flexi.example.test"),
        proven_at=START - dt.timedelta(days=days_before),
        run="earlier",
        witness_run="0011223344556677",
        log_sha256="0" * 64,
        record_sha256="0" * 64,
        silences=tuple(
            ProvenSilence.model_validate({**about, "first_port": first, "last_port": last, "silence": silence})
            for first, last in spans
        ),
        **changes,
    )


def later(proofs: tuple[StoredProof, ...], what: Any = MEDIA, *, path: TcpPath | None = None, **world: Any) -> Finding:
    """A run without a witness, which was given proofs."""
    made = PortWorld(tcp_path={V4: path or way()}, **world)
    return WitnessedWorld(made).finding(*what, with_log=False, proofs=proofs)


@pytest.mark.parametrize("what", [MEDIA, AVAYA], ids=["range", "port"])
def test_the_same_silence_cites_the_proof_with_its_date_and_stays_open(what: Any):
    """The server may have been opened since for a service that stays silent: from outside nothing would differ."""
    finding = later((proof(),), what)
    assert (finding.verdict, finding.result, finding.confidence) == ("inconclusive", "no-exposure-seen", "tentative")
    assert (finding.params["proof"], finding.params["proven_on"]) == ("cited", "2026-10-03")
    assert (finding.params["proven_days_ago"], finding.params["proof_log"]) == (30, "0011223344556677")


def test_of_several_proofs_the_latest_is_cited():
    assert later((proof(60), proof(3), proof(20))).params["proven_days_ago"] == 3


@pytest.mark.parametrize(
    "stored",
    [
        proof(about={"address": "192.0.2.11"}),
        proof(about={"address": V6, "family": "ipv6"}),
        proof(about={"transport": "tcp"}),
        proof(host="other.example.test"),
    ],
    ids=["other-address", "other-family", "other-transport", "other-host"],
)
def test_a_proof_of_something_else_is_not_mentioned(stored: StoredProof):
    for what in (MEDIA, AVAYA):
        assert not {"proof", "proven_on"} & set(later((stored,), what).params)


@pytest.mark.parametrize(
    ("stored", "path"),
    [
        (proof(), way(router="203.0.113.9")),
        (proof(), way(hops=4)),
        (proof(), way(speaks=False)),
        (proof(), TcpPath(port=443)),
        (proof(silence=SEEN.model_copy(update={"dropped_within_hops": 2})), way()),
        (proof(91), way()),
        (proof(-1), way()),
    ],
    ids=["other-router", "farther", "router-silent", "no-way", "dropped-elsewhere", "too-old", "later-than-the-run"],
)
def test_any_difference_and_it_is_not_cited(stored: StoredProof, path: TcpPath):
    for what in (MEDIA, AVAYA):
        finding = later((stored,), what, path=path)
        assert finding.params.get("proof") == "not-the-same"
        assert "proven_on" not in finding.params
        assert finding.verdict != "pass"


def test_a_silence_that_is_none_cites_nothing():
    rejected = icmp(V4, "prohibited", FIREWALL[V4])
    other_canaries: dict[str, Any] = {"sweep": {V4: silent_sweep(canaries=canaries("icmp", rejected))}}
    assert "proven_on" not in later((proof(),), **other_canaries).params
    one_answered = silent_sweep(silent=499, icmp=({"icmp": rejected, "ports": (40000,)},))
    finding = later((proof(),), sweep={V4: one_answered})
    assert "proven_on" not in finding.params


def test_a_fail_stays_a_fail():
    answers = silent_sweep(data_ports=(40010,))
    assert later((proof(),), sweep={V4: answers}).verdict == "fail"
    arrived = WitnessedWorld(PortWorld(tcp_path={V4: way()})).ask_range().arrive("udp", 44_444)
    assert arrived.finding(*MEDIA, proofs=(proof(),)).result == "perimeter-passes"


def test_something_that_reached_a_witness_of_today_is_not_answered_by_a_proof_of_then():
    world = WitnessedWorld(PortWorld(tcp_path={V4: way()})).ask("udp", 50797)
    world.log.arrive(100.0, "udp4", 50797, None, "not-ours")
    finding = world.finding(*AVAYA, proofs=(proof(),))
    assert (finding.params["witness"], "proven_on" in finding.params) == ("something-arrived", False)


def test_a_vantage_that_cannot_see_the_port_comes_first():
    world = WitnessedWorld(PortWorld(tcp_path={V4: way()}))
    assert world.finding(*MEDIA, with_log=False, proofs=(proof(),), vantage=BLIND).result == "vantage-blind"


def document(*findings: Finding) -> ResultDocument:
    family = VantageFamily(usable=True)
    return ResultDocument(
        tool=Tool(version="1"),
        guide=Guide(title="g", release="1"),
        run=RunFacts(id="r", started=START, depth="standard", seed=1),
        authorisation=AuthorisationShown(authorised_by="test"),
        vantage=Vantage(ipv4=family, ipv6=family),
        targets=(TargetResult(host="flexi.example.test", endpoints=(), findings=findings, observations=()),),
        summary={},
        exit_code=0,
    )


def kept(tmp_path: Path, *findings: Finding) -> tuple[StoredProof, ...]:
    for name in ("record.jsonl", "log"):
        (tmp_path / name).write_text(name)
    return proofs_of(document(*findings), tmp_path, tmp_path / "log")


def proven(**world: Any) -> WitnessedWorld:
    return WitnessedWorld(PortWorld(tcp_path={V4: way()}, **world)).ask_range().ask("udp", 50797)


def test_what_was_proven_beyond_doubt_is_kept_and_cited_later(tmp_path: Path):
    world = proven()
    (made,) = kept(tmp_path, world.finding(*MEDIA), world.finding(*AVAYA))
    assert [(s.first_port, s.last_port, s.silence) for s in made.silences] == [
        (40000, 50000, SEEN),
        (50797, 50797, SEEN),
    ]
    path, key = tmp_path / "proof.json", tmp_path / "state" / "key"
    write_proof(made, path, key)
    assert key.stat().st_mode & 0o777 == 0o600
    read = read_proof(path, key, {"flexi.example.test"}, NOW)
    assert later((read,)).params["proof"] == "cited"


def test_what_was_not_proven_is_not_kept(tmp_path: Path):
    sample = tuple((port, port) for port in range(40000, 50000, 20))
    sampled = WitnessedWorld(PortWorld(tcp_path={V4: way()})).ask_range(asked=sample).finding(*MEDIA)
    assert sampled.verdict == "pass"
    unknown_way = WitnessedWorld().ask_range().finding(*MEDIA)
    assert unknown_way.confidence == "confirmed"
    arrived = proven().arrive("udp", 44_444).finding(*MEDIA)
    without_log = proven().finding(*MEDIA, with_log=False)
    assert kept(tmp_path, sampled, unknown_way, arrived, without_log) == ()


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[Path, Path]:
    path, key = tmp_path / "proof.json", tmp_path / "key"
    write_proof(proof(), path, key)
    return path, key


HOSTS = {"flexi.example.test"}


def test_a_proof_that_was_edited_is_refused(sealed: tuple[Path, Path]):
    path, key = sealed
    assert read_proof(path, key, HOSTS, START).silences == proof().silences
    whole = path.read_text()
    for was, becomes in (("2026-10-03", "2026-10-30"), ("192.0.2.10", "192.0.2.11"), ('"mac": "', '"mac": "0')):
        assert was in whole
        path.write_text(whole.replace(was, becomes, 1))
        with pytest.raises(UsageError, match="was changed, or was made by another user or on another machine"):
            read_proof(path, key, HOSTS, START)


def test_a_proof_of_another_installation_is_refused(sealed: tuple[Path, Path], tmp_path: Path):
    path, _ = sealed
    other = tmp_path / "other"
    for content in (None, b"x" * 32, b""):
        if content is not None:
            other.write_bytes(content)
        with pytest.raises(UsageError, match="another machine"):
            read_proof(path, other, HOSTS, START)


@pytest.mark.parametrize(
    ("hosts", "now", "reason"),
    [
        ({"other.example.test"}, START, "is about flexi.example.test"),
        (HOSTS, START + dt.timedelta(days=61), "may be cited for 90 days"),
        (HOSTS, START - dt.timedelta(days=31), "later than this run"),
    ],
)
def test_a_proof_that_may_not_be_cited_says_why(sealed: tuple[Path, Path], hosts: set[str], now: Any, reason: str):
    path, key = sealed
    with pytest.raises(UsageError, match=reason) as refused:
        read_proof(path, key, hosts, now)
    assert refused.value.next_step


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"proof_version": 2}'])
def test_what_is_no_proof_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(UsageError, match="is no proof"):
        read_proof(tmp_path / "p", tmp_path / "key", HOSTS, START)
    with pytest.raises(UsageError, match="cannot read"):
        read_proof(tmp_path / "none", tmp_path / "key", HOSTS, START)


def test_a_proof_never_overwrites_a_file(sealed: tuple[Path, Path]):
    path, key = sealed
    with pytest.raises(UsageError, match="cannot keep"):
        write_proof(proof(), path, key)


@pytest.mark.parametrize(("language", "words"), [("en", "be as silent"), ("sv", "vore lika tyst")])
@pytest.mark.parametrize("what", [MEDIA, AVAYA], ids=["range", "port"])
def test_reports_name_the_day_and_say_that_it_is_about_then(what: Any, language: str, words: str):
    told = as_bytes(document(later((proof(),), what)), language)
    assert "2026-10-03" in told
    assert words in told


def as_bytes(shown: ResultDocument, language: str) -> str:
    return " ".join(render(shown, RenderOptions(locale=language)).decode().split())

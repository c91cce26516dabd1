"""What the DNS probe asks: the plan of round 0, and how it goes on along an alias chain."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.failure import Failure
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Target
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import Draft, PlanView
from flexiscan_probes import dns as probe

HOST = "flexi.example.test"
NAME = HOST + "."


def task(server: str, rdtype: str = "A") -> Task:
    return Task(
        id=f"dns.lookup/{HOST}/{rdtype}@{server}#53",
        probe="dns.lookup",
        host=HOST,
        role="address",
        params={"server": f"{server}#53", "name": NAME, "rdtype": rdtype},
        lane=f"dns@{server}#53",
        gate="dns",
    )


# -- plan -------------------------------------------------------------------------------------------------------


def view(*, host: str = HOST, resolvers: tuple[str, ...] = ("192.0.2.53#53",), round_number: int = 0) -> PlanView:
    return PlanView(
        round=round_number,
        target=Target(host=host),
        addresses=(),
        profile=load_profile(),
        depth="standard",
        seed=1,
        tasks={},
        seen={},
        options={"resolvers": resolvers},
    )


def test_both_families_at_every_resolver_a_lane_each():
    drafts = list(probe.plan(view(resolvers=("192.0.2.53#53", "[2001:db8::53]#5353"))))
    assert [(draft.name, draft.lane, draft.role, draft.gate) for draft in drafts] == [
        ("A@192.0.2.53#53", "dns@192.0.2.53#53", "address", "dns"),
        ("AAAA@192.0.2.53#53", "dns@192.0.2.53#53", "address", "dns"),
        ("A@2001:db8::53#5353", "dns@2001:db8::53#5353", "address", "dns"),
        ("AAAA@2001:db8::53#5353", "dns@2001:db8::53#5353", "address", "dns"),
    ]
    assert drafts[3].params == {"server": "2001:db8::53#5353", "name": NAME, "rdtype": "AAAA"}
    assert all(draft.datagrams == 2 and draft.address is None for draft in drafts)


def test_the_same_resolver_twice_is_asked_once():
    assert len(list(probe.plan(view(resolvers=("2001:db8::53#53", "[2001:DB8:0::53]#53"))))) == 2


@pytest.mark.parametrize("host", ["192.0.2.10", "2001:db8::1", "[2001:db8::1]", "localhost"])
def test_nothing_for_a_literal_address(host: str):
    assert list(probe.plan(view(host=host))) == []


def test_later_rounds_ask_nothing():
    assert list(probe.plan(view(round_number=1))) == []


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53#5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("2001:db8::53#1", ("2001:db8::53", 1)),
        ("[2001:db8::53]#65535", ("2001:db8::53", 65535)),
    ],
)
def test_servers(text: str, server: tuple[str, int]):
    read = probe.server_of(text)
    assert (read.address, read.port) == server


@pytest.mark.parametrize("text", ["", "dns.example", "192.0.2.53#", "192.0.2.53#0", "192.0.2.53#65536", "#53"])
def test_no_servers(text: str):
    with pytest.raises(ValueError, match=r"."):
        probe.server_of(text)


# -- following an alias -----------------------------------------------------------------------------------------

LANE = ("192.0.2.53#53",)


SOA = {"name": "test.", "rdtype": "SOA", "ttl": 1, "data": "a. b. 1 2 3 4 5"}


def heard(
    rdtype: str, *rows: tuple[str, str, str], name: str = NAME, rcode: str = "NOERROR", proven: bool = True
) -> DnsReply:
    return DnsReply.model_validate(
        {
            "name": name,
            "rdtype": rdtype,
            "server": LANE[0],
            "transport": "udp",
            "outcome": "answer",
            "rcode": rcode,
            "flags": ("qr", "rd", "ra"),
            "records": [{"name": owner, "rdtype": kind, "ttl": 1, "data": data} for owner, kind, data in rows],
            "authority": [SOA] if proven else [],
        }
    )


def follow(*outcomes: DnsReply | Failure, role: str = "alias") -> list[tuple[str, str]]:
    """The questions that the lane goes on with after these."""
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    lane = tuple(Observation(id=str(n), started=at, ended=at, outcome=one) for n, one in enumerate(outcomes))
    drafts: list[Draft] = list(probe.proceed(task("192.0.2.53"), lane))
    assert all(draft.role == role and draft.lane == "dns@192.0.2.53#53" for draft in drafts)
    return [(draft.params["name"], draft.params["rdtype"]) for draft in drafts]


PLAIN = [heard("A", (NAME, "A", "192.0.2.1")), heard("AAAA")]
ALIASED = [heard("A", (NAME, "CNAME", "a.test."), ("a.test.", "A", "192.0.2.1")), heard("AAAA")]
FAILED = [heard("A", rcode="SERVFAIL"), heard("AAAA", rcode="SERVFAIL")]
SILENT = heard("A").model_copy(update={"outcome": "timeout", "rcode": None})


def link(name: str, target: str) -> DnsReply:
    return heard("CNAME", (name, "CNAME", target), name=name)


def test_no_alias_no_further_questions():
    assert follow(*PLAIN) == []
    assert follow(heard("A", rcode="NXDOMAIN"), heard("AAAA", rcode="NXDOMAIN")) == []


def test_nothing_before_both_families_were_asked():
    assert follow(ALIASED[0]) == []


def test_silence_ends_it():
    assert follow(SILENT, SILENT) == []
    assert follow(*ALIASED, SILENT) == []


def test_a_failure_of_ours_ends_it():
    assert follow(ALIASED[0], Failure(reason="no-route")) == []
    assert follow(Failure(reason="no-route"), ALIASED[0]) == [(NAME, "CNAME")]
    assert follow(Failure(reason="no-route"), ALIASED[0], link(NAME, "a.test.")) == [("a.test.", "CNAME")]


@pytest.mark.parametrize("asked", [ALIASED, FAILED])
def test_link_by_link_to_the_end_and_its_addresses(asked: list[DnsReply]):
    lane = [*asked]
    assert follow(*lane) == [(NAME, "CNAME")]
    lane.append(link(NAME, "a.test."))
    assert follow(*lane) == [("a.test.", "CNAME")]
    lane.append(link("a.test.", "b.test."))
    assert follow(*lane) == [("b.test.", "CNAME")]
    lane.append(heard("CNAME", name="b.test."))
    assert follow(*lane) == [("b.test.", "A")]
    lane.append(heard("A", ("b.test.", "A", "192.0.2.1"), name="b.test."))
    assert follow(*lane) == [("b.test.", "AAAA")]
    lane.append(heard("AAAA", name="b.test."))
    assert follow(*lane) == []


def test_a_failing_name_without_an_alias_is_left_alone():
    assert follow(*FAILED, heard("CNAME")) == []


@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
def test_an_absence_without_proof_gets_a_control_before_anything_else(rcode: str):
    lane = [ALIASED[0], heard("AAAA", rcode=rcode, proven=False)]
    assert follow(*lane, role="address") == [(NAME, "SOA")]
    assert follow(*lane, heard("SOA")) == [(NAME, "CNAME")]
    assert follow(*lane, SILENT.model_copy(update={"rdtype": "SOA"})) == [(NAME, "CNAME")]
    assert follow(*lane, heard("SOA"), link(NAME, "a.test.")) == [("a.test.", "CNAME")]


def test_a_control_alone():
    lane = [PLAIN[0], heard("AAAA", proven=False)]
    assert follow(*lane, role="address") == [(NAME, "SOA")]
    assert follow(*lane, heard("SOA")) == []


def test_an_unknown_target_ends_it():
    assert follow(*ALIASED, link(NAME, "a.test."), heard("CNAME", name="a.test.", rcode="NXDOMAIN")) == []


def test_a_loop_ends_it():
    assert follow(*FAILED, link(NAME, NAME)) == []
    assert follow(*FAILED, link(NAME, "a.test."), link("a.test.", NAME.upper())) == []


def test_the_ninth_link_ends_it():
    chain = [NAME, *(f"l{number}.test." for number in range(9))]
    links = [link(name, target) for name, target in itertools.pairwise(chain)]
    assert follow(*FAILED, *links[:8]) == [(chain[8], "CNAME")]
    assert follow(*FAILED, *links) == []


def test_names_of_continued_tasks_differ():
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    names: set[str] = set()
    outcomes: list[DnsReply] = [*ALIASED]
    for step in (link(NAME, "a.test."), heard("CNAME", name="a.test."), heard("A", name="a.test.")):
        lane = tuple(Observation(id="x", started=at, ended=at, outcome=one) for one in outcomes)
        names.update(draft.name for draft in probe.proceed(task("192.0.2.53"), lane))
        outcomes.append(step)
    assert names == {"alias-0-CNAME@192.0.2.53#53", "alias-1-CNAME@192.0.2.53#53", "alias-2-A@192.0.2.53#53"}


def test_the_spec():
    assert (probe.SPEC.id, probe.SPEC.proceed) == ("dns.lookup", probe.proceed)

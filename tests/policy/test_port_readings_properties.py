"""What must hold of every reading, whatever the network did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.facts import Fact, IcmpTally, MediaSeen, RtpSweep, SweepPort, TcpExchange, UdpExchange
from flexiscan.model.icmp import IcmpError
from flexiscan.model.plan import Task
from flexiscan.policy.ports.media_range import RANGE_RESULTS, read_sweep
from flexiscan.policy.ports.reading import PORT_RESULTS, is_rejection, read_tcp, read_udp
from flexiscan.policy.rule import Seen

ADDRESS = "192.0.2.10"
errors = st.builds(
    IcmpError,
    family=st.just("ipv4"),
    icmp_type=st.sampled_from((3, 11, 12)),
    code=st.integers(0, 15),
    offender=st.sampled_from((ADDRESS, "198.51.100.1")),
)
services = st.sampled_from((None, "sip", "http", "tls", "ssh", "tftp", "rtp"))
tcp_facts = st.builds(
    TcpExchange,
    connect=st.sampled_from(("accepted", "reset", "icmp", "silence", "refused")),
    icmp=st.none() | errors,
    reply=st.sampled_from(("not-asked", "data", "closed", "reset", "silence")),
    service=services,
)
udp_facts = st.builds(
    UdpExchange,
    reply=st.sampled_from(("data", "icmp", "silence", "refused")),
    icmp=st.none() | errors,
    service=services,
    replied_from_port=st.none() | st.integers(1, 65535),
    alien_replies=st.integers(0, 3),
)
sweep_ports = st.builds(
    SweepPort,
    port=st.integers(1, 65535),
    reply=st.sampled_from(("data", "icmp", "silence", "refused")),
    icmp=st.none() | errors,
)
sweeps = st.builds(
    RtpSweep,
    first_port=st.just(40000),
    last_port=st.just(50000),
    seed=st.just(1),
    passes=st.integers(0, 3),
    payload_hex=st.just("80c9000100000001"),
    ports_asked=st.integers(0, 500),
    datagrams=st.integers(0, 2000),
    silent=st.integers(0, 500),
    icmp=st.lists(
        st.builds(IcmpTally, icmp=errors, ports=st.lists(st.integers(40000, 50000), unique=True).map(tuple)), max_size=3
    ).map(tuple),
    refused_ports=st.lists(st.integers(40000, 50000), max_size=2).map(tuple),
    data_ports=st.lists(st.integers(40000, 50000), max_size=2).map(tuple),
    media=st.lists(st.builds(MediaSeen, port=st.just(40000), packets=st.just(1)), max_size=1).map(tuple),
    canaries=st.lists(sweep_ports, max_size=8).map(tuple),
    canaries_after=st.lists(sweep_ports, max_size=8).map(tuple),
    stopped=st.sampled_from(("", "media-seen", "send-refused")),
)
questions = st.sampled_from(("sip", "http", "tls", "banner", "one-byte", "tftp"))


def seen(fact: Fact, question: str = "", at_s: float = 50.0) -> Seen:
    task = Task(
        id=str(at_s),
        probe="p",
        host="h",
        role="r",
        address=ADDRESS,
        transport="udp" if fact.kind == "udp" else "tcp",
        port=5060,
        params={"question": question},
        lane="l",
    )
    return Seen(task, fact, at_s, at_s + 1)


@given(fact=tcp_facts, canaries=st.lists(tcp_facts, max_size=3), question=questions)
def test_a_tcp_port_that_accepts_is_never_closed(fact: TcpExchange, canaries: list[TcpExchange], question: str):
    reading = read_tcp(seen(fact, question), fact, [seen(canary) for canary in canaries])
    outcome = PORT_RESULTS[reading.result]
    assert reading.because
    if fact.connect == "accepted":
        assert outcome != "holds"
    elif outcome == "holds":
        assert fact.connect in ("reset", "silence", "refused") or (fact.icmp is not None and is_rejection(fact.icmp))
    if outcome == "violated":
        assert fact.connect == "accepted"


@given(fact=udp_facts, canaries=st.lists(udp_facts, max_size=4), question=questions)
def test_a_udp_port_that_answers_is_never_closed(fact: UdpExchange, canaries: list[UdpExchange], question: str):
    around = [seen(canary, at_s=20.0 * number) for number, canary in enumerate(canaries)]
    reading = read_udp(seen(fact, question), fact, around)
    outcome = PORT_RESULTS[reading.result]
    if fact.reply == "data":
        assert outcome != "holds"
    if fact.reply == "silence" and outcome == "holds":
        assert question != "one-byte"
        assert reading.rests_on_absence
        assert reading.confidence == "tentative"
        assert sum(canary.reply == "silence" for canary in canaries) >= 2


@given(fact=sweeps)
def test_a_range_passes_only_when_every_port_asked_was_rejected_by_somebody_else(fact: RtpSweep):
    reading = read_sweep(seen(fact), fact)
    outcome = RANGE_RESULTS[reading.result]
    if fact.media:
        assert reading.result in ("media-received", "reports-received")
    if outcome == "holds":
        assert fact.silent == 0
        assert not fact.data_ports
        assert not fact.refused_ports
        assert fact.stopped != "send-refused"
        assert fact.icmp
        for tally in fact.icmp:
            assert is_rejection(tally.icmp)
            assert (tally.icmp.meaning, tally.icmp.offender) != ("port-unreachable", ADDRESS)

"""A host with everything wrong, and firewalls that take a dislike to the scanner: none may make it look right."""

from __future__ import annotations

from typing import Literal

from flexiscan.model.facts import Fact, TcpExchange, UdpExchange
from flexiscan.model.facts_tls import CertificateChain, TlsHelloSent, TlsReply, TlsSecondOpinion, TlsVersion
from flexiscan.model.plan import Task
from tests.engine.made_up_host import Answer, MadeUpHost, root
from tests.policy import cert_chains
from tests.policy.port_world import answered, silent_sweep, spoke, tcp_icmp, udp_icmp
from tests.policy.tls_world import MODERN_SUITES, TlsServer
from tests.policy.web_sites import HTML, NAMED_LOGIN, with_admin
from tests.policy.web_world import HOST, Asked, Reply, exchange_of

OLD_SUITES: dict[TlsVersion, tuple[int, ...]] = {
    **MODERN_SUITES,
    "SSLv3": (0x002F,),
    "TLSv1.0": (0xC013, 0x0005),
    "TLSv1.1": (0x0035,),
}
ADMIN = Reply(
    200,
    NAMED_LOGIN + f'<form action="http://{HOST}/admin/">',
    (HTML, ("X-Powered-By", "PHP/5.6.1"), ("Server", "Microsoft-IIS/10.0")),
)
SITE = with_admin(ADMIN)
TLS_PORTS = (443, 4443)
FIREWALL = "198.51.100.1"

Block = Literal["silence", "reset", "icmp"]


def vulnerable_host(answer: Answer | None = None) -> MadeUpHost:
    """A host where every rule that can fail does."""
    chain = (cert_chains.leaf(root(), dns=(f"not-{HOST}",), ends_days=-5).der,)
    return MadeUpHost(answer=answer or vulnerable, chain=chain)


def vulnerable(task: Task, at_s: float) -> Fact | None:
    """What it says; None: as a hardened host (DNS, canaries)."""
    match task.probe:
        case "tcp.connect" | "control" if task.role != "tcp-canary":
            question = str(task.params.get("question", ""))
            service = {"sip": "sip", "giop": "giop", "http": "http"}.get(question, "tls")
            return spoke(service)
        case "udp.ask" if task.role == "udp":
            question = task.params["question"]
            return answered(question if question != "one-byte" else None)
        case "rtp.sweep":
            return silent_sweep(data_ports=(40010,), silent=499)
        case "tls.ask":
            return _tls(task)
        case "http.ask":
            return _web(task)
    return None


def _tls(task: Task) -> Fact:
    chain = vulnerable_host().chain
    return TlsServer(OLD_SUITES, ssl2_kinds=(0x010080,), chain=chain).answer(task.params)


def _web(task: Task) -> Fact:
    asked = _asked(task)
    encrypted = task.port in TLS_PORTS
    if encrypted and asked.scheme == "http":
        return exchange_of(asked, Reply(400))
    if asked.scheme == "https" and not encrypted:
        return exchange_of(asked, Reply(outcome="tls-failed", detail="closed"))
    return exchange_of(asked, SITE(asked))


def _asked(task: Task) -> Asked:
    assert task.address is not None
    assert task.port is not None
    scheme = "http" if task.params["channel"] == "http" else "https"
    return Asked(task.address, task.port, scheme, str(task.params["target"]), False, 1)


def blocked(task: Task, how: Block) -> Fact | None:
    """What the scanner meets once a firewall blocks it."""
    address = task.address or ""
    match task.probe:
        case "tcp.connect" | "control":
            return tcp_icmp(address, "prohibited", FIREWALL) if how == "icmp" else TcpExchange(connect=how)
        case "udp.ask":
            if how == "icmp":
                return udp_icmp(address, "prohibited", FIREWALL)
            return UdpExchange(reply="silence", tries=3, waited_s=2.4)
        case "rtp.sweep":
            return silent_sweep()
        case "tls.ask":
            return _tls_blocked(task, how)
        case "tls.second-opinion":
            return TlsSecondOpinion(engine="sslyze", reached=False)
        case "http.ask":
            return exchange_of(_asked(task), Reply(outcome=f"connect-{how}"))
    return None


def _tls_blocked(task: Task, how: Block) -> Fact:
    sni = task.params["sni"]
    if task.params["step"] == "handshake":
        return CertificateChain(outcome=f"connect-{how}", sni=sni)
    sent = TlsHelloSent(version=task.params["version"], suites=tuple(task.params["suites"]), sni=sni)
    return TlsReply(hello=sent, outcome=f"connect-{how}")


def blocking(start_s: float, length_s: float, how: Block) -> Answer:
    """The vulnerable host behind a firewall that blocks the scanner for a while."""

    def answer(task: Task, at_s: float) -> Fact | None:
        fact = blocked(task, how) if start_s <= at_s < start_s + length_s else None
        return fact or vulnerable(task, at_s)

    return answer

"""Asks the configured resolvers for the addresses of the host, and follows its alias chain link by link.

Facts only: what each server answered. The questions for the addresses stand in the plan of round 0; whether an
absence needs a control, and how far an alias chain has to be followed, shows in the answers, so those questions are
continuations of the same lane.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from flexiscan.model.dns_answer import (
    ADDRESS_TYPES,
    MAX_ALIAS_LINKS,
    answer_path,
    canonical_name,
    without_dns,
)
from flexiscan.model.dns_reading import ABSENCES, CONTROL_TYPE, read_reply
from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.sdk import CannotLook, Context, Draft, PlanView, ProbeSpec
from flexiscan_probes.dns_exchange import TCP_TIMEOUT_S, UDP_TRIES_S, DnsExchange, Server
from flexiscan_probes.wire.dns_message import DnsWireError, Question, encode_query

DNS_PORT = 53
DEADLINE_S = sum(UDP_TRIES_S) + 2 * TCP_TIMEOUT_S + 4.0
"""Beyond all waits of the exchange, so that silence is a fact and not a failure of ours."""

ADDRESS_ROLE = "address"
ALIAS_ROLE = "alias"


def server_of(text: str) -> Server:
    """A server from "ADDR", "ADDR#PORT" or "[ADDR]#PORT". Raises ValueError for anything else."""
    address, mark, port = text.rpartition("#")
    if not mark:
        address, port = text, str(DNS_PORT)
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError(f"no port number: {port!r}")
    return Server(str(ipaddress.ip_address(address.strip("[]"))), number)


def plan(view: PlanView) -> Iterable[Draft]:
    """One lane a resolver, with a question for A and one for AAAA. Nothing for a host that has no DNS."""
    if view.round != 0 or without_dns(view.target.host):
        return []
    servers = dict.fromkeys(server_of(text) for text in view.options.get("resolvers", ()))
    name = canonical_name(view.target.host)
    return [
        _draft(ADDRESS_ROLE, Question(name, rdtype), server, f"{rdtype}@{server}")
        for server in servers
        for rdtype in ADDRESS_TYPES
    ]


def proceed(task: Task, lane: tuple[Observation, ...]) -> Iterable[Draft]:
    """The next question of the lane, one at a time, as long as the last answer leads on.

    First the control of an absence that came without proof, then each link of an alias chain, then its end.
    """
    if len(lane) < len(ADDRESS_TYPES) or not isinstance(lane[-1].outcome, DnsReply):
        return []
    host = canonical_name(task.host)
    server = server_of(task.params["server"])
    asked, later = _replies(lane[: len(ADDRESS_TYPES)]), _replies(lane[len(ADDRESS_TYPES) :])
    followed = [reply for reply in later if reply.rdtype != CONTROL_TYPE]
    if len(followed) == len(later) and any(_lacks_proof(reply) for reply in asked):
        return [_draft(ADDRESS_ROLE, Question(host, CONTROL_TYPE), server, f"{CONTROL_TYPE}@{server}")]
    question = _next_question(host, asked, followed)
    if question is None:
        return []
    return [_draft(ALIAS_ROLE, question, server, f"alias-{len(followed)}-{question.rdtype}@{server}")]


async def observe(context: Context, task: Task) -> DnsReply:
    """Put the question of the task to its server. Raises CannotLook("internal") for a name DNS cannot hold."""
    question = Question(task.params["name"], task.params["rdtype"])
    message_id = context.random.randrange(2**16)
    try:
        encode_query(question, message_id)
    except DnsWireError as error:
        raise CannotLook("internal", str(error)) from error
    return await DnsExchange(context, server_of(task.params["server"]), question, message_id).run()


def _draft(role: str, question: Question, server: Server, name: str) -> Draft:
    # The server is no address of the target: it stands in the parameters, and the wall lets DNS through to it.
    # No silence is announced: the estimate is a floor, and without an answer here nothing else is asked.
    return Draft(
        role=role,
        name=name,
        params={"server": str(server), "name": question.name, "rdtype": question.rdtype},
        lane=f"dns@{server}",
        gate="dns",
        datagrams=len(UDP_TRIES_S),
        deadline_s=DEADLINE_S,
    )


def _replies(observations: Iterable[Observation]) -> list[DnsReply]:
    return [seen.outcome for seen in observations if isinstance(seen.outcome, DnsReply)]


def _next_question(host: str, asked: Sequence[DnsReply], followed: Sequence[DnsReply]) -> Question | None:
    if not followed:
        return Question(host, "CNAME") if any(_hints_at_alias(reply) for reply in asked) else None
    last = followed[-1]
    if last.outcome != "answer" or last.rcode != "NOERROR":
        return None
    if last.rdtype == "A":
        return Question(last.name, "AAAA")
    if last.rdtype == "AAAA":
        return None
    path = answer_path(last)
    if not path.links:
        return None if canonical_name(last.name) == host else Question(last.name, "A")
    been = {canonical_name(reply.name) for reply in followed}
    if path.loops or path.names[1] in been or len(followed) > MAX_ALIAS_LINKS:
        return None
    return Question(path.names[1], "CNAME")


def _lacks_proof(reply: DnsReply) -> bool:
    read = read_reply(reply)
    return read.kind in ABSENCES and not read.proven


def _hints_at_alias(reply: DnsReply) -> bool:
    """An alias in the answer, or no answer to go by: a loop makes many resolvers say SERVFAIL."""
    if reply.outcome != "answer":
        return False
    failed = reply.rcode not in ("NOERROR", "NXDOMAIN")
    return failed or any(record.rdtype in ("CNAME", "DNAME") for record in reply.records)


SPEC = ProbeSpec(id="dns.lookup", version=1, plan=plan, observe=observe, proceed=proceed)

"""What of a run is the same every time: one line a task, an observation, a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

CONTROL = "control/"


def plan_lines(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """The planned tasks and skips of all rounds, sorted: follow-ups are planned in the order of the answers."""
    lines: list[str] = []
    for event in events:
        if event["event"] != "plan":
            continue
        plan = event["plan"]
        lines.extend(f"{plan['round']} {task['id']} ({task['role']}, {task['gate']})" for task in plan["tasks"])
        number = plan["round"]
        lines.extend(f"{number} skip {skip['role']} {skip['address']}: {skip['reason']}" for skip in plan["skips"])
    return sorted(lines)


def observation_lines(observations: Iterable[Mapping[str, Any]]) -> list[str]:
    """What came of every task, sorted, without controls (their number depends on time) and without figures."""
    return sorted(
        f"{observation['id']}: {_outcome(observation['outcome'])}"
        for observation in observations
        if not observation["id"].startswith(CONTROL)
    )


def finding_lines(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Rule, subject, verdict, severity, confidence and result of every finding, in order."""
    return [finding_line(finding) for finding in findings]


def finding_line(finding: Mapping[str, Any]) -> str:
    """One finding on one line."""
    where = finding["address"] or finding["family"] or "-"
    port = f" {finding['transport']}/{finding['port'] or '*'}" if finding["transport"] else ""
    judged = f"{finding['verdict']} {finding['result']} ({finding['severity']}, {finding['confidence']})"
    return f"{finding['rule']} {where}{port}: {judged}"


def _icmp(icmp: Mapping[str, Any] | None) -> str:
    return "" if icmp is None else f" icmp {icmp['icmp_type']}/{icmp['code']} from {icmp['offender']}"


def _tcp(fact: Mapping[str, Any]) -> str:
    return f"{fact['connect']}{_icmp(fact['icmp'])} {fact['reply']} {fact['service']}"


def _udp(fact: Mapping[str, Any]) -> str:
    return f"{fact['reply']}{_icmp(fact['icmp'])} {fact['service']}"


def _rtp(fact: Mapping[str, Any]) -> str:
    icmp = "".join(_icmp(tally["icmp"]) for tally in fact["icmp"])
    return f"asked{icmp} data {fact['data_ports']} media {len(fact['media'])}"


def _bleed(fact: Mapping[str, Any]) -> str:
    return f"streams {len(fact['streams'])} rtcp {fact['rtcp_packets'] > 0} other {fact['other_packets'] > 0}"


def _tcp_path(fact: Mapping[str, Any]) -> str:
    hops = ", ".join(f"{hop['hop_limit']} {hop['answer']}{_icmp(hop['icmp'])}" for hop in fact["hops"])
    return f"[{hops}] reply {fact['reply_hop_limit']}"


def _tcp_reply(fact: Mapping[str, Any]) -> str:
    return f"resets arrive with {fact['hop_limit']}"


def _tcp_sweep(fact: Mapping[str, Any]) -> str:
    return f"accepted {fact['accepted']['spans']} {fact['stopped']}"


def _udp_path(fact: Mapping[str, Any]) -> str:
    came = [_icmp(tally["icmp"]) for trial in (*fact["trials"], *fact["confirming"]) for tally in trial["icmp"]]
    return f"came:{'|'.join(sorted(set(came)))}"


def _http(fact: Mapping[str, Any]) -> str:
    names = ",".join(name.lower() for name, _ in fact["headers"])
    return f"{fact['outcome']} {fact['status']} [{names}]"


def _dns(fact: Mapping[str, Any]) -> str:
    # The records of a set have no order (RFC 2181, section 5), and servers turn them on purpose; the sets have one.
    sets = groupby(fact["records"], key=lambda record: (record["name"], record["rdtype"]))
    records = ", ".join(
        f"{name} {kind} {data}" for (name, kind), one in sets for data in sorted(r["data"] for r in one)
    )
    return f"{fact['outcome']} {fact['rcode']} [{records}]"


def _tls(fact: Mapping[str, Any]) -> str:
    return f"{fact['outcome']} {fact['version']} {fact['suite']} alert {fact['alert_description']}"


def _certificates(fact: Mapping[str, Any]) -> str:
    return f"{fact['outcome']} {fact['version']} {len(fact['chain_der_b64'])} certificates"


def _opinion(fact: Mapping[str, Any]) -> str:
    return f"reached {fact['reached']} {fact['highest_version']} verified {fact['certificate_verified']}"


def _failure(outcome: Mapping[str, Any]) -> str:
    return f"FAILURE {outcome['reason']}"


DIGESTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "tcp": _tcp,
    "udp": _udp,
    "rtp-sweep": _rtp,
    "rtp-bleed": _bleed,
    "tcp-path": _tcp_path,
    "tcp-reply": _tcp_reply,
    "tcp-sweep": _tcp_sweep,
    "udp-path": _udp_path,
    "http": _http,
    "dns": _dns,
    "tls-hello": _tls,
    "certificates": _certificates,
    "tls-second-opinion": _opinion,
    "failure": _failure,
}


def _outcome(outcome: Mapping[str, Any]) -> str:
    return f"{outcome['kind']} {DIGESTS[outcome['kind']](outcome)}"

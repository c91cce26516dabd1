"""What the reports show: verdict, counts, order, merging. Nothing is called safe that was not shown to be."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from flexiscan.model.finding import SEVERITIES
from flexiscan.model.result import AuthorisationShown, EndpointShown, ResultDocument
from flexiscan_reports.moment import duration, local_and_utc
from flexiscan_reports.texts import load_texts
from flexiscan_reports.view import build_view
from flexiscan_reports.view_jobs import retest_command
from flexiscan_reports.view_model import CheckLine, HostView, Job, ReportView
from tests.reports.sample_documents import (
    V4_ENDPOINT,
    bad_document,
    complete_document,
    document,
    good_document,
    hostile_document,
    incomplete_document,
    several_hosts_document,
    target,
    unresolved_document,
)
from tests.reports.sample_findings import HOST, PROFILE, V4, V6, finding, http, observe

EN = load_texts("en")
ALL = (
    good_document,
    complete_document,
    bad_document,
    incomplete_document,
    unresolved_document,
    several_hosts_document,
    hostile_document,
)


def view_of(made: ResultDocument) -> ReportView:
    return build_view(made, EN, ZoneInfo("Europe/Stockholm"))


def host_of(made: ResultDocument) -> HostView:
    return view_of(made).hosts[0]


def line(host: HostView, number: str) -> CheckLine:
    return next(entry for entry in host.checklist if entry.number == number)


def job_of(host: HostView, rule: str) -> Job:
    return next(job for job in host.jobs if rule in {topic.rule for topic in job.topics})


@pytest.mark.parametrize("make", ALL)
def test_counters_agree_with_the_summary(make):
    made = make()
    view = view_of(made)
    for kind in ("pass", "fail", "inconclusive", "not_checked"):
        shown = sum(c.number for host in view.hosts for c in host.counters if c.mark.kind == kind)
        assert shown == made.summary[kind]


@pytest.mark.parametrize("make", ALL)
def test_every_finding_is_somewhere(make):
    made = make()
    for host, source in zip(view_of(made).hosts, made.targets, strict=True):
        told = {topic.rule for job in host.jobs for topic in job.topics}
        told |= {topic.rule for reason in (*host.open, *host.not_checked) for topic in reason.topics}
        told |= {topic.rule for topic in (*host.passes, *host.not_applicable)}
        told |= {question.rule for question in host.questions}
        assert {f.rule for f in source.findings} <= told


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (complete_document, "pass", "Everything that was checked from outside is as the guide asks."),
        (good_document, "partial", "What was checked is as the guide asks; 50 checks were not run."),
        (bad_document, "fail", "Not safe to leave as is: 9 things to fix."),
        (incomplete_document, "inconclusive", "The scan was interrupted: what was seen is shown, the rest is unknown."),
        (unresolved_document, "fail", "Not safe to leave as is: 2 things to fix."),
        (several_hosts_document, "fail", "2 of 3 hosts are not safe to leave as they are."),
    ],
)
def test_verdict(make, kind: str, sentence: str):
    view = view_of(make())
    assert (view.verdict.kind, view.verdict_sentence) == (kind, sentence)


def test_nothing_seen_is_never_good():
    nothing = [finding(entry.id, "not_checked", "not-selected") for entry in PROFILE.rules]
    host = host_of(document(target(nothing), exit_code=0))
    assert (host.verdict.kind, host.verdict_sentence) == (
        "inconclusive",
        "Nothing was determined: no check came to a result.",
    )
    assert {entry.ipv4.mark.kind for entry in host.checklist if entry.ipv4} == {"not_checked"}


def test_one_open_question_keeps_it_from_being_good():
    findings = [f for f in complete_document().targets[0].findings if f.rule != "tls.sslv3-refused"]
    findings.append(finding("tls.sslv3-refused", "inconclusive", "silent", V4, 443))
    host = host_of(document(target(findings), exit_code=3))
    assert host.verdict.kind == "inconclusive"
    assert host.verdict_sentence.startswith("No fault found, but 1 check gave no answer")


def test_silence_that_proves_nothing_is_neither_fault_nor_pass():
    findings = [f for f in complete_document().targets[0].findings if f.rule != "ports.rtp-unreachable"]
    findings += [finding("ports.rtp-unreachable", "inconclusive", "no-exposure-seen", V4, None, "udp")]
    host = host_of(document(target(findings), exit_code=0))
    assert host.verdict.kind == "partial"
    assert host.verdict_sentence == "No fault found, as far as it can be seen from outside."
    assert host.also == "1 check met silence, which an outside test cannot tell from a block."
    assert [reason.advice for reason in host.first_open] == ["Have the administrator confirm the firewall rule."]
    firewall = line(host, "3")
    assert firewall.ipv4 is not None
    assert firewall.ipv4.mark.kind == "partial"


def test_silence_alone_is_not_determined():
    findings = [finding(entry.id, "not_checked", "not-selected") for entry in PROFILE.rules]
    findings = [f for f in findings if f.rule != "ports.rtp-unreachable"]
    findings.append(finding("ports.rtp-unreachable", "inconclusive", "no-exposure-seen", V4, None, "udp"))
    host = host_of(document(target(findings), exit_code=0))
    assert host.verdict.kind == "inconclusive"
    firewall = line(host, "3")
    assert firewall.ipv4 is not None
    assert firewall.ipv4.mark.kind == "inconclusive"


def test_mild_failures_are_improvements():
    findings = [finding("web.hsts-enabled", "fail", "absent", V4, 443)]
    host = host_of(document(target(findings), exit_code=0))
    assert (host.verdict.kind, host.verdict_sentence) == (
        "partial",
        "Nothing serious found; 1 improvement is advised.",
    )
    assert [job.place_key for job in host.first] == ["proxy"]


def test_an_interrupted_run_never_reads_as_complete():
    made = good_document()
    stopped = made.model_copy(update={"run": made.run.model_copy(update={"interrupted": True})})
    assert host_of(stopped).verdict.kind == "inconclusive"
    bad = bad_document()
    stopped = bad.model_copy(update={"run": bad.run.model_copy(update={"interrupted": True})})
    assert host_of(stopped).verdict.kind == "fail"
    assert "interrupted" in host_of(stopped).also


def test_the_same_finding_on_several_addresses_is_one_topic():
    host = host_of(bad_document())
    topic = next(t for job in host.jobs for t in job.topics if t.rule == "web.admin-unreachable")
    assert [sighting.places for sighting in topic.sightings] == [
        (f"{V6} port 443/tcp",),
        (f"{V6} port 80/tcp",),
        (f"{V4} port 4443/tcp", f"{V6} port 4443/tcp"),
    ]
    assert [sighting.short for sighting in topic.sightings] == ["v6 443/tcp", "v6 80/tcp", "v4,v6 4443/tcp"]


def test_topics_with_the_same_fix_are_one_job():
    job = job_of(host_of(bad_document()), "tls.sslv3-refused")
    assert [topic.rule for topic in job.topics] == ["tls.sslv3-refused", "tls.tls10-refused"]
    assert job.do == "Switch off SSLv3, TLS 1.0 in the proxy."
    assert sum("SSL 3.0" in command for command in job.commands) == 2
    assert sum("TLS 1.0" in command for command in job.commands) == 2
    assert job.retest == (
        f"flexiscan scan {HOST} --only tls.sslv3-refused,tls.tls10-refused --authorised-by 'A. Svensson, CIO'"
    )


def test_commands_name_the_ports_concerned():
    job = job_of(host_of(bad_document()), "ports.sip-unreachable")
    assert "-in 5060,50797 " in job.commands[0]
    assert "-in 5060 " in job.commands[1]
    tcp_only = finding("ports.oip-corba-unreachable", "fail", "open", V4, 2809)
    job = job_of(host_of(document(target([tcp_only]), exit_code=1)), "ports.oip-corba-unreachable")
    assert all("UDP" not in command for command in job.commands)


def test_a_result_can_have_a_fix_of_its_own():
    host = host_of(document(target([finding("cert.trusted", "fail", "chain-incomplete", V4, 443)]), exit_code=1))
    assert job_of(host, "cert.trusted").do.startswith("Install the missing intermediate")
    host = host_of(document(target([finding("cert.trusted", "fail", "self-signed", V4, 443)]), exit_code=1))
    assert job_of(host, "cert.trusted").do.startswith("Install a certificate for")


def test_the_worst_comes_first():
    host = host_of(bad_document())
    severities = [SEVERITIES.index(job.severity_kind) for job in host.jobs]
    assert severities == sorted(severities)
    assert severities[0] == 0
    for group in host.groups:
        mine = [SEVERITIES.index(job.severity_kind) for job in group.jobs]
        assert mine == sorted(mine)
    firsts = [SEVERITIES.index(group.jobs[0].severity_kind) for group in host.groups]
    assert firsts == sorted(firsts)
    assert len(host.first) == 4


def test_families_are_told_apart_in_the_checklist():
    host = host_of(bad_document())
    https = line(host, "9")
    assert https.ipv4 is not None
    assert https.ipv6 is not None
    assert (https.ipv4.mark.kind, https.ipv6.mark.kind) == ("fail", "partial")
    assert [link.text for link in https.links] == ["Unencrypted web traffic (HTTP)"]


def test_the_name_of_one_family_does_not_stain_the_other():
    findings = [finding("dns.ipv6-present", "fail", "absent")]
    host = host_of(document(target(findings, endpoints=(V4_ENDPOINT,)), exit_code=1))
    both = line(host, "8")
    assert both.ipv4 is not None
    assert both.ipv6 is not None
    assert (both.ipv4.mark.kind, both.ipv6.mark.kind) == ("partial", "fail")


def test_lines_that_cannot_be_seen_are_questions():
    host = host_of(good_document())
    for number in ("1", "2", "4"):
        entry = line(host, number)
        assert entry.ipv4 is None
        assert entry.ipv6 is None
        assert len(entry.questions) == 1
    assert len(host.questions) == 10


def test_an_attested_line_says_by_whom_and_is_no_measurement():
    told = {"by": "A. Svensson", "on": "2026-11-01", "note": ""}
    findings = [finding("host.antivirus", "pass", "attested", confidence="tentative", params=told)]
    entry = line(host_of(document(target(findings), exit_code=0)), "4")
    assert entry.ipv4 is None
    assert entry.questions[0].attested == "Confirmed by A. Svensson on 2026-11-01; not checked from outside."


def test_a_pass_beside_unrun_checks_is_only_in_part():
    dns = line(host_of(good_document()), "7")
    assert dns.ipv4 is not None
    assert dns.ipv4.mark.kind == "partial"
    assert dns.ipv4.detail == "4 pass, 15 not checked"
    complete = line(host_of(complete_document()), "7")
    assert complete.ipv4 is not None
    assert complete.ipv4.mark.kind == "pass"


def test_open_questions_are_grouped_by_reason():
    host = host_of(incomplete_document())
    assert [reason.result for reason in host.open] == ["interrupted", "no-ipv6-here"]
    assert host.open[1].advice == "Scan from a place that has IPv6."
    assert len(host.open[1].topics) > 30


def test_evidence_of_every_failing_place_is_kept():
    host = host_of(bad_document())
    admin = next(proof for proof in host.proofs if proof.topic.rule == "web.admin-unreachable")
    assert {exhibit.id for exhibit in admin.exhibits} == {
        "http/v6/admin",
        "http/v6/missing",
        "http/v6/80",
        "http/v4/4443",
        "http/v6/4443",
    }
    blocks = dict(next(e for e in admin.exhibits if e.id == "http/v6/admin").blocks)
    assert "GET /admin/ HTTP/1.1" in blocks["sent"]
    assert "X-Powered-By: PHP/5.6.40" in blocks["received"]


def test_a_session_cookie_is_not_passed_on():
    page = http("/admin/", 200, "x", Set_Cookie="PHPSESSID=c46ef4ef2277; path=/admin; HttpOnly")
    findings = [finding("web.admin-unreachable", "fail", "open", V4, 443, because=("o",))]
    host = host_of(document(target(findings, [observe("o", page)]), exit_code=1))
    answer = dict(host.proofs[0].exhibits[0].blocks)["received"]
    assert "Set-Cookie: PHPSESSID=… (+12); path=/admin; HttpOnly" in answer


def test_evidence_that_is_left_out_is_counted():
    because = tuple(f"tcp/{number}" for number in range(20))
    findings = [finding("ports.sip-unreachable", "fail", "open", V4, 5060, because=because)]
    observations = [o.model_copy(update={"id": name}) for name in because for o in bad_observations()[:1]]
    host = host_of(document(target(findings, observations), exit_code=1))
    assert len(host.proofs[0].exhibits) == 6
    assert host.proofs[0].more == "14 more observations in the JSON document."


def bad_observations():
    return bad_document().targets[0].observations


def test_addresses_that_were_not_scanned_say_why():
    endpoints = (V4_ENDPOINT, EndpointShown(address="10.0.0.5", family="ipv4", state="not-public"))
    host = host_of(document(target([], endpoints=endpoints), exit_code=1))
    assert host.addresses[1].note == "not a public address: not scanned"


@pytest.mark.parametrize("make", ALL)
def test_anchors_are_unique(make):
    view = view_of(make())
    anchors = [job.anchor for host in view.hosts for job in host.jobs]
    anchors += [t.anchor for host in view.hosts for job in host.jobs for t in job.topics]
    assert len(anchors) == len(set(anchors))
    assert all(c.isascii() and (c.isalnum() or c in "._-") for anchor in anchors for c in anchor)


def test_anchors_stay_the_same_between_runs():
    assert "web.admin-unreachable" in {t.anchor for job in host_of(bad_document()).jobs for t in job.topics}


def test_retest_with_a_scope_file_or_a_hostile_name():
    scope = AuthorisationShown(authorised_by="x", scope_sha256="00" * 32)
    assert retest_command(["a.b"], HOST, scope) == f"flexiscan scan {HOST} --only a.b --scope scope.toml"
    hostile = AuthorisationShown(authorised_by="x'; rm -rf / #\n")
    assert retest_command(["a.b"], HOST, hostile).endswith("""'x'"'"'; rm -rf / #<U+000A>'""")


def test_moments():
    moment = dt.datetime(2026, 11, 22, 23, 14, tzinfo=dt.UTC)
    stockholm = ZoneInfo("Europe/Stockholm")
    assert local_and_utc(moment, "en", stockholm) == "23 November 2026, 00:14 CET (22 November 23:14 UTC)"
    assert local_and_utc(moment, "sv", stockholm) == "23 november 2026, 00:14 CET (22 november 23:14 UTC)"
    assert local_and_utc(moment, "en", dt.UTC) == "22 November 2026, 23:14 UTC"
    assert [duration(s, "sv") for s in (0.123, 41.4, 60, 200)] == ["0,12 s", "41 s", "1 min", "3 min 20 s"]


def test_where_from_says_which_family_is_missing():
    assert view_of(incomplete_document()).sources == (
        "IPv4 198.51.100.7",
        "IPv6: not available on the scanner's machine",
    )

"""How a scan can end before its time: refused, interrupted, a full disk, a broken probe. Nothing seen is lost."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from flexiscan.api import ScanRequest, Watch, judge, scan
from flexiscan.errors import FlexiScanError, PluginError, RecordError, ScopeRefused, UsageError
from flexiscan.model.facts import Fact
from flexiscan.model.plan import Task
from flexiscan.model.target import Attestation, Target
from flexiscan.sdk import Draft, PlanView
from flexiscan.store.events import Event
from flexiscan.store.record import RecordWriter, read_record
from tests.engine.made_up_host import MadeUpHost, made_up_network, request_for, scan_host, specs
from tests.policy.cert_chains import NOW
from tests.policy.web_world import HOST
from tests.virtual_clock import VirtualClock, run_virtually


def interrupted_after(seconds: float, request: ScanRequest, host: MadeUpHost | None = None) -> None:
    clock = VirtualClock(NOW)

    async def run() -> None:
        scanning = asyncio.create_task(scan(request, clock=clock))
        await asyncio.sleep(seconds)
        scanning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await scanning

    with made_up_network(host or MadeUpHost(), clock):
        run_virtually(run())


class TestInterrupted:
    """SIGINT: the record is closed, and judged for what it holds."""

    @pytest.mark.parametrize("seconds", [0.001, 0.01, 3.0, 30.0])
    def test_what_was_seen_is_kept(self, seconds: float, tmp_path: Path) -> None:
        interrupted_after(seconds, request_for(tmp_path / "run"))
        record = read_record(tmp_path / "run")
        assert record.end is not None
        assert record.end.interrupted
        document = judge(tmp_path / "run")
        assert (document.exit_code, document.run.interrupted) == (130, True)
        assert document.run.ended == record.end.ended
        assert not [f for f in document.targets[0].findings if f.verdict == "fail"]

    def test_before_anything_was_resolved_nothing_is_called_absent(self, tmp_path: Path) -> None:
        slow_dns = MadeUpHost(dns_delay_s=5.0)
        names = (Target(host=f"{number}.{HOST}") for number in range(4))
        interrupted_after(1.0, request_for(tmp_path / "run", *names, Target(host="192.0.2.10")), slow_dns)
        for target in judge(tmp_path / "run").targets:
            ports = {(f.verdict, f.result) for f in target.findings if f.rule.startswith("ports.sip")}
            assert ports == {("inconclusive", "addresses-unknown")}

    def test_everything_that_was_under_way_is_cancelled(self, tmp_path: Path) -> None:
        ended: list[str] = []

        def answer(task: Task, at_s: float) -> Fact | None:
            ended.append(task.id)
            return None

        clock = VirtualClock(NOW)

        async def run() -> None:
            scanning = asyncio.create_task(scan(request_for(tmp_path / "run"), clock=clock))
            await asyncio.sleep(3)
            scanning.cancel()
            await asyncio.wait({scanning})
            count = len(ended)
            await asyncio.sleep(100)
            assert len(ended) == count
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with made_up_network(MadeUpHost(answer), clock):
            run_virtually(run())


class TestDiskFull:
    """The scan ends with the error of the record, and not with a bundle of errors."""

    @pytest.mark.parametrize("room", [1, 5, 60, 200])
    def test_in_the_middle_of_the_scan(self, room: int, tmp_path: Path) -> None:
        true_write = RecordWriter.write
        written: list[Event] = []

        def write(writer: RecordWriter, event: Event) -> None:
            if len(written) == room:
                raise RecordError("cannot write the record: No space left on device")
            written.append(event)
            true_write(writer, event)

        with mock.patch.object(RecordWriter, "write", write), pytest.raises(RecordError, match="No space left"):
            scan_host(MadeUpHost(), request_for(tmp_path / "run"))
        document = judge(tmp_path / "run")
        assert document.exit_code == 130
        assert document.run.ended is None

    def test_a_folder_that_holds_a_run_is_refused_before_anything_is_sent(self, tmp_path: Path) -> None:
        request = request_for(tmp_path / "run", only=("dns.*",))
        scan_host(MadeUpHost(), request)
        before = (tmp_path / "run" / "record.jsonl").read_bytes()
        host = MadeUpHost()
        with pytest.raises(RecordError, match="already holds a run"):
            scan_host(host, request)
        assert host.asked == []
        assert (tmp_path / "run" / "record.jsonl").read_bytes() == before


class TestBrokenProbes:
    """A defect in a plan ends the run; it does not leave a question out in silence."""

    def scan_with(self, plan: Callable[[PlanView], list[Draft]], request: ScanRequest) -> MadeUpHost:
        host = MadeUpHost()
        first, *rest = specs()
        broken = (dataclasses.replace(first, plan=plan), *rest)
        clock = VirtualClock(NOW)
        with made_up_network(host, clock), mock.patch("flexiscan.api.scan.load_probes", return_value=broken):
            run_virtually(scan(request, clock=clock))
        return host

    def test_the_same_task_twice(self, tmp_path: Path) -> None:
        def plan(view: PlanView) -> list[Draft]:
            return [Draft(role="address", name="same")] * 2

        with pytest.raises(PluginError, match="twice"):
            self.scan_with(plan, request_for(tmp_path / "run"))

    def test_a_plan_that_raises(self, tmp_path: Path) -> None:
        def plan(view: PlanView) -> list[Draft]:
            raise LookupError("defect")

        with pytest.raises(ExceptionGroup) as caught:
            self.scan_with(plan, request_for(tmp_path / "run"))
        assert caught.group_contains(LookupError, match="defect")
        assert judge(tmp_path / "run").run.interrupted


class TestRefused:
    """What must be refused is refused before a packet leaves and before a folder is made."""

    @pytest.mark.parametrize(
        ("changes", "error", "words"),
        [
            ({"only": ("wbe.*",)}, UsageError, "wbe"),
            ({"skip": ("nothing.here",)}, UsageError, "nothing.here"),
        ],
    )
    def test_globs_that_match_nothing(
        self, changes: dict[str, tuple[str, ...]], error: type[FlexiScanError], words: str, tmp_path: Path
    ) -> None:
        host = MadeUpHost()
        with pytest.raises(error, match=words):
            scan_host(host, request_for(tmp_path / "run", **changes))
        assert host.asked == []
        assert not (tmp_path / "run").exists()

    def test_outside_the_window(self, tmp_path: Path) -> None:
        host = MadeUpHost()
        window = f"{NOW + dt.timedelta(hours=1):%H:%M}-{NOW + dt.timedelta(hours=2):%H:%M} UTC"
        with pytest.raises(ScopeRefused, match="window"):
            scan_host(host, request_for(tmp_path / "run", Target(host=HOST, window=window)))
        assert host.asked == []
        assert not (tmp_path / "run").exists()

    def test_an_attestation_of_no_rule(self, tmp_path: Path) -> None:
        request = request_for(tmp_path / "run")
        attestation = Attestation(rule="host.coffee", by="A. Svensson", on=dt.date(2026, 1, 1))
        scope = request.scope.model_copy(update={"attestations": (attestation,)})
        with pytest.raises(UsageError, match=r"host\.coffee"):
            scan_host(MadeUpHost(), dataclasses.replace(request, scope=scope))


class TestTold:
    """What a watcher and the record hear."""

    def test_the_watcher_hears_everything_that_the_record_holds(self, tmp_path: Path) -> None:
        heard: dict[str, list[str]] = {"resolved": [], "planned": [], "added": [], "observed": []}
        watch = Watch(
            resolved=lambda host, addresses: heard["resolved"].extend(a.address for a in addresses),
            planned=lambda host, plan: heard["planned"].extend(task.id for task in plan.tasks),
            added=lambda host, tasks: heard["added"].extend(task.id for task in tasks),
            observed=lambda host, observation: heard["observed"].append(observation.id),
        )
        scan_host(MadeUpHost(), request_for(tmp_path / "run", only=("tls.*",)), watch)
        host = read_record(tmp_path / "run").hosts[HOST]
        assert heard["resolved"] == [a.address for a in host.addresses]
        assert sorted(heard["planned"] + heard["added"]) == sorted(host.tasks)
        assert heard["observed"] == list(host.observations)
        assert set(host.observations) == set(host.tasks)

    def test_the_same_seed_gives_the_same_plan_and_findings(self, tmp_path: Path) -> None:
        documents = [scan_host(MadeUpHost(), request_for(tmp_path / str(n), only=("ports.*",))) for n in range(2)]
        records = [read_record(tmp_path / str(n)).hosts[HOST] for n in range(2)]
        assert list(records[0].tasks) == list(records[1].tasks)
        assert documents[0].targets[0].findings == documents[1].targets[0].findings

    def test_who_allowed_it_stands_in_the_document(self, tmp_path: Path) -> None:
        document = scan_host(MadeUpHost(), request_for(tmp_path / "run", only=("dns.*",), scope_sha256="ab" * 32))
        assert document.authorisation.authorised_by == "test"
        assert document.authorisation.scope_sha256 == "ab" * 32

    def test_the_controls_are_counted(self, tmp_path: Path) -> None:
        document = scan_host(MadeUpHost(), request_for(tmp_path / "run", only=("ports.sip-unreachable",)))
        for tally in document.vantage.controls:
            assert tally.asked == tally.answered > 2
        assert [tally.address for tally in document.vantage.controls] == ["192.0.2.10", "2001:db8:2::10"]


def test_an_attested_host_rule_passes_tentatively_and_the_rest_are_asked_for(tmp_path: Path) -> None:
    request = request_for(tmp_path / "run", only=("host.*", "dns.ipv4-present"))
    attestation = Attestation(rule="host.backup", by="A. Svensson", on=dt.date(2026, 1, 1), note="nightly")
    scope = request.scope.model_copy(update={"attestations": (attestation,)})
    document = scan_host(MadeUpHost(), dataclasses.replace(request, scope=scope))
    found = {f.rule: f for f in document.targets[0].findings if f.rule.startswith("host.")}
    assert (found["host.backup"].verdict, found["host.backup"].confidence) == ("pass", "tentative")
    assert found["host.backup"].params == {"by": "A. Svensson", "on": "2026-01-01", "note": "nightly"}
    assert {f.result for rule, f in found.items() if rule != "host.backup"} == {"not-attested"}
    assert document.exit_code == 0


def test_an_attestation_of_a_rule_that_is_left_out_does_not_count(tmp_path: Path) -> None:
    request = request_for(tmp_path / "run", only=("dns.ipv4-present",))
    attestation = Attestation(rule="host.backup", by="A. Svensson", on=dt.date(2026, 1, 1))
    scope = request.scope.model_copy(update={"attestations": (attestation,)})
    document = scan_host(MadeUpHost(), dataclasses.replace(request, scope=scope))
    assert {f.result for f in document.targets[0].findings if f.rule.startswith("host.")} == {"not-selected"}

"""Real scans of the lab with a real witness on the target: what is proven, and what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from flexiscan_lab.errors import Unavailable
from flexiscan_lab.expectation import unmet
from flexiscan_lab.scenarios.witness import CODE, OTHER_CODE, WITNESS_SCENARIOS
from tests.witness.lab_runs import WitnessRun, judge, judge_again, run_witnessed

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(300)]
RUNS_AT_ONCE = 2
every_scenario = pytest.mark.parametrize("name", sorted(WITNESS_SCENARIOS))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[WitnessRun]]]:
    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        yield {
            name: pool.submit(run_witnessed, case, tmp_path_factory.mktemp(name))
            for name, case in WITNESS_SCENARIOS.items()
        }


def finished(runs: dict[str, Future[WitnessRun]], name: str) -> WitnessRun:
    try:
        return runs[name].result()
    except Unavailable as reason:
        pytest.skip(f"left out, the lab needs network namespaces: {reason}")


@every_scenario
def test_without_the_log_only_answers_count(name: str, runs: dict[str, Future[WitnessRun]]):
    assert unmet(WITNESS_SCENARIOS[name].scenario.expectations, finished(runs, name).without_log) == []


@every_scenario
def test_the_log_proves_what_it_can(name: str, runs: dict[str, Future[WitnessRun]]):
    run, expected = finished(runs, name), WITNESS_SCENARIOS[name].with_log
    if expected is None:
        assert run.judged.returncode == 2
        assert "was not written under this code" in run.judged.stderr
        assert run.judged.stdout == ""
    else:
        assert unmet(expected, run.with_log) == []


def test_proof_is_confirmed_and_names_its_witness(runs: dict[str, Future[WitnessRun]]):
    run = finished(runs, "witness_dropped")
    found = [f for f in run.with_log if f["rule"] == "ports.rtp-unreachable"]
    assert [(f["confidence"], f["params"]["ports_asked"]) for f in found] == [("confirmed", 10_001)] * 2
    assert all(f["params"]["witness"] == "silent" for f in found)
    witness = json.loads(run.log.read_text().splitlines()[0])["run"]
    assert {f["params"]["witness_run"] for f in found} == {witness}


def test_a_log_of_another_run_proves_nothing(runs: dict[str, Future[WitnessRun]]):
    other = finished(runs, "witness_half_allowed")
    judged = judge_again(finished(runs, "witness_dropped").record, other.log)
    found = json.loads(judged.stdout)["targets"][0]["findings"]
    range_findings = [f for f in found if f["rule"] == "ports.rtp-unreachable"]
    assert {(f["result"], f["params"]["witness"]) for f in range_findings} == {("no-exposure-seen", "other-run")}


def test_a_log_cut_short_proves_no_silence(runs: dict[str, Future[WitnessRun]], tmp_path: Path):
    run = finished(runs, "witness_dropped")
    cut = tmp_path / "cut.log"
    cut.write_bytes(b"".join(run.log.read_bytes().splitlines(keepends=True)[:-1]))
    found = json.loads(judge_again(run.record, cut).stdout)["targets"][0]["findings"]
    range_findings = [f for f in found if f["rule"] == "ports.rtp-unreachable"]
    assert {(f["result"], f["params"]["witness"]) for f in range_findings} == {("no-exposure-seen", "log-cut")}


def test_the_code_stands_nowhere(runs: dict[str, Future[WitnessRun]]):
    run = finished(runs, "witness_dropped")
    kept = (run.record / "record.jsonl").read_text() + json.dumps(run.document) + run.log.read_text()
    for code in (CODE, OTHER_CODE):
        assert code not in kept
        assert code.replace("-", "") not in kept


def test_a_proof_is_kept_and_cited_without_its_log(
    runs: dict[str, Future[WitnessRun]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    run, proof = finished(runs, "witness_dropped"), tmp_path / "proof.json"
    assert "proof kept" in judge_again(run.record, run.log, options=["--keep-proof", str(proof)]).stderr
    found = json.loads(judge(run.record, "--proof", str(proof)).stdout)["targets"][0]["findings"]
    range_findings = [f for f in found if f["rule"] == "ports.rtp-unreachable"]
    assert {(f["verdict"], f["params"]["proof"]) for f in range_findings} == {("inconclusive", "cited")}
    other = finished(runs, "witness_half_allowed")
    found = json.loads(judge(other.record, "--proof", str(proof)).stdout)["targets"][0]["findings"]
    assert not [f for f in found if f["rule"] == "ports.rtp-unreachable" and "proven_on" in f["params"]]
    proof.write_text(proof.read_text().replace("50000", "50001"))
    refused = judge(run.record, "--proof", str(proof))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "was changed" in refused.stderr

"""What is built holds everything, and works where the sources are not."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {
    "flexiscan": ROOT / "flexiscan",
    "flexiscan_probes": ROOT / "probes" / "flexiscan_probes",
    "flexiscan_reports": ROOT / "reports" / "flexiscan_reports",
    "flexiscan_lab": ROOT / "fixtures" / "flexiscan_lab",
}


def run(argv: Sequence[str | Path], **options: object) -> subprocess.CompletedProcess[str]:
    """A program with its output as text; fails the test when the program fails."""
    done: subprocess.CompletedProcess[str] = subprocess.run(argv, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sources without asking a package index."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel alone."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def sources() -> set[str]:
    """Every file of the four packages, as it has to be named in the wheel."""
    return {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def inside(installed: Path, script: str) -> str:
    """Runs Python with the unpacked wheel in front, far from the sources."""
    begin = f"import sys; sys.path.insert(0, {str(installed)!r})\n"
    return run(
        [sys.executable, "-I", "-c", begin + script], cwd=installed.parent, env={**os.environ, "LANG": "C"}
    ).stdout


def test_every_file_of_the_packages_is_in_it_and_nothing_else(wheel: Path):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = sources()
    for suffix in (".toml", ".j2", ".css", "py.typed"):
        assert any(name.endswith(suffix) for name in wanted), (
            f"no {suffix} among the sources: the test looks at nothing"
        )
    assert names == wanted


def test_it_is_typed_licensed_and_described(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(archive.namelist())
    (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    text = archive.read(metadata).decode()
    assert "License-Expression: MIT\n" in text
    assert "Requires-Python: >=3.11\n" in text
    assert [name for name in archive.namelist() if name.endswith("/LICENSE")]


def test_entry_points_are_those_of_the_project(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(archive.read(name).decode())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    built = {section: dict(parser[section]) for section in parser.sections()}
    assert built == {"console_scripts": project["scripts"], **project["entry-points"]}


@pytest.mark.parametrize("arguments", [["--version"], ["rules"], ["explain", "web.admin-unreachable"], ["schema"]])
def test_commands_work_from_it(arguments: list[str], installed: Path):
    script = f"""
sys.argv = ["flexiscan", *{arguments!r}]
import flexiscan.cli.main
assert flexiscan.cli.main.__file__.startswith({str(installed)!r})
flexiscan.cli.main.main()
"""
    assert inside(installed, script).strip()


def test_probes_reports_texts_and_scenarios_load_from_it(installed: Path):
    script = f"""
from flexiscan.engine.registry import format_names, load_probes, load_renderer
from flexiscan_lab.scenarios import ALL
import flexiscan_lab, flexiscan_reports
assert all(m.__file__.startswith({str(installed)!r}) for m in (flexiscan_lab, flexiscan_reports))
print(len(load_probes()), len([load_renderer(name) for name in format_names()]), len(ALL))
"""
    probes, reports, scenarios = map(int, inside(installed, script).split())
    assert probes >= 7
    assert reports >= 4
    assert scenarios >= 50


def test_the_source_archive_makes_the_same_wheel(wheel: Path, tmp_path: Path):
    run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path], cwd=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    run(["tar", "-xzf", archive, "-C", tmp_path])
    (unpacked,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=unpacked)
    (again,) = tmp_path.glob("*.whl")
    assert set(zipfile.ZipFile(again).namelist()) == set(zipfile.ZipFile(wheel).namelist())

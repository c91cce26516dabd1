"""What is installed beside us is what we need, and what the lock files pin."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent
PINNED = re.compile(r"^([a-zA-Z0-9._-]+)(?:\[[a-z0-9,]+\])?==([^ ;\\]+)", re.MULTILINE)
LOCKS = {"requirements.lock": False, "requirements-test.lock": True}


def wanted(with_tests: bool) -> dict[str, Requirement]:
    """The direct requirements that stand in pyproject.toml, by canonical name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = project["project"]["dependencies"] + (project["dependency-groups"]["test"] if with_tests else [])
    return {str(canonicalize_name(requirement.name)): requirement for requirement in map(Requirement, lines)}


def test_the_second_engine_has_the_interface_that_is_used():
    version = Version(metadata.version("sslyze"))
    assert version.major == 6
    assert version >= Version("6.3.1")


def test_dnspython_is_new_enough():
    assert Version(metadata.version("dnspython")) >= Version("2.9.2")


def test_every_requirement_of_the_installed_distribution_is_met():
    requirements = [Requirement(line) for line in metadata.requires("flexiscan") or ()]
    assert requirements
    unmet = [str(r) for r in requirements if metadata.version(r.name) not in r.specifier]
    assert unmet == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_pin_every_requirement_with_its_hash(lock: str):
    text = (ROOT / lock).read_text()
    pinned = {str(canonicalize_name(name)): version for name, version in PINNED.findall(text)}
    for name, requirement in wanted(LOCKS[lock]).items():
        assert pinned[name] in requirement.specifier, f"{requirement} is not what {lock} pins: make lock"
    entries = re.split(r"\n(?=[a-zA-Z0-9])", text.strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text, "a lock file names no package index"

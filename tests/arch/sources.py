"""The project's own source files, parsed: what the architecture tests look at."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "flexiscan": ROOT / "flexiscan",
    "flexiscan_probes": ROOT / "probes" / "flexiscan_probes",
    "flexiscan_reports": ROOT / "reports" / "flexiscan_reports",
    "flexiscan_lab": ROOT / "fixtures" / "flexiscan_lab",
}
OTHER_FOLDERS = tuple(ROOT / name for name in ("tests", "scripts", "benchmarks"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file. `name` is dotted for packages, the path for everything else."""

    name: str
    path: Path
    text: str
    tree: ast.Module
    imported: frozenset[str]
    """Dotted names of everything imported anywhere in the file; `from a import b` counts as a and a.b."""

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def imports(self, *modules: str) -> set[str]:
        """Those of these modules that the file imports, or anything inside them."""
        return {m for m in modules if any(name == m or name.startswith(f"{m}.") for name in self.imported)}


@functools.cache
def package_sources() -> tuple[Source, ...]:
    """All modules that are shipped."""
    return tuple(
        _source(path, f"{package}.{'.'.join(path.relative_to(folder).with_suffix('').parts)}")
        for package, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
    )


@functools.cache
def other_sources() -> tuple[Source, ...]:
    """Tests, scripts and benchmarks."""
    paths = [path for folder in OTHER_FOLDERS for path in sorted(folder.rglob("*.py"))]
    return tuple(_source(path, str(path.relative_to(ROOT))) for path in paths)


def sources_of(*prefixes: str) -> list[Source]:
    """Shipped modules whose dotted name is one of these or lies inside."""
    return [s for s in package_sources() if any(s.name == p or s.name.startswith(f"{p}.") for p in prefixes)]


def _source(path: Path, name: str) -> Source:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    return Source(name.removesuffix(".__init__"), path, text, tree, frozenset(_imported(tree)))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)

"""What every file of the project keeps to: small, documented, without hidden state."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.arch.sources import Source, other_sources, package_sources, sources_of

MAX_MODULE_LINES = 399
MAX_FUNCTION_LINES = 39
LONG_MODULES = {
    "flexiscan.witness",  # one file on purpose: it is carried to a server that has nothing else
}
LONG_FUNCTIONS: set[str] = {"tests/reports/sample_documents.py _bad_findings"}
"""Exceptions, by name. Tables of data may be long; nothing else should."""

MUTABLE_STATE = {
    # An audit hook cannot be taken back, so the process has one, and it must know who is inside which wall.
    "flexiscan.net.wall_hook": {"_of_thread", "_of_process", "_installed"},
}


def everything() -> tuple[Source, ...]:
    return (*package_sources(), *other_sources())


def test_modules_are_short() -> None:
    long = {source.name for source in everything() if len(source.text.splitlines()) > MAX_MODULE_LINES}
    assert long == LONG_MODULES


def test_functions_are_short() -> None:
    long = {
        f"{source.name} {function.name}"
        for source in everything()
        for function in source.functions()
        if (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES
    }
    assert long <= LONG_FUNCTIONS


def test_every_module_says_what_is_inside() -> None:
    silent = [source.name for source in package_sources() if source.text.strip() and not ast.get_docstring(source.tree)]
    assert silent == []


def test_annotations_are_never_evaluated() -> None:
    eager = [
        source.name
        for source in everything()
        if len(source.tree.body) > 1 and "from __future__ import annotations" not in source.text
    ]
    assert eager == []


def _public(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{prefix} {node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{prefix} {node.name}")


def test_everything_public_is_documented() -> None:
    undocumented = [
        name
        for source in package_sources()
        for name, node in _public(source.tree.body, source.name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not ast.get_docstring(node)
    ]
    assert undocumented == []


def _module_variables(source: Source) -> Iterator[tuple[str, ast.expr]]:
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


MUTABLE_NODES = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_CALLS = {"list", "dict", "set", "defaultdict", "deque", "Counter", "WeakKeyDictionary", "bytearray"}
CHANGING_METHODS = {"append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "clear"}


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        called = value.func
        name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
        return name in MUTABLE_CALLS
    return isinstance(value, MUTABLE_NODES)


def test_a_module_holds_no_state() -> None:
    stateful = {
        source.name: names
        for source in package_sources()
        if (
            names := {
                name
                for name, value in _module_variables(source)
                if _is_mutable(value) and name != "__all__" and not name.strip("_").isupper()
            }
        )
    }
    assert stateful == MUTABLE_STATE


def _changed(source: Source) -> Iterator[str]:
    """Names that are changed in place, or declared global."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            yield from node.names
        target: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING_METHODS:
            target = node.func.value
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            target = node.value
        if isinstance(target, ast.Name):
            yield target.id


def test_constants_are_never_changed() -> None:
    changed = [
        f"{source.name}: {name}"
        for source in package_sources()
        for name in set(_changed(source)) & {name for name, _ in _module_variables(source)}
        if name not in MUTABLE_STATE.get(source.name, set())
    ]
    assert changed == []


def _catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in names)


CATCH_ALL = {
    "flexiscan.cli.main": 1,  # exit code 5
    "flexiscan.engine.boundary": 1,  # a failure of ours
    "flexiscan.engine.registry": 2,  # a broken plug-in
    "flexiscan.policy.evaluate": 2,  # a defect in one rule
    "flexiscan.witness": 2,  # its log stops claiming that it listens; a socket is closed
    "flexiscan_lab.lab": 1,  # takes the network down again
}
"""Where any exception at all is caught, and how often: only where it becomes something that shows."""


def test_nobody_swallows_every_exception() -> None:
    found = {
        source.name: count
        for source in package_sources()
        if (count := sum(_catches_all(node) for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler)))
    }
    assert found == CATCH_ALL


FORBIDDEN_CALLS = {"asyncio.sleep", "time.sleep", "time.time", "time.monotonic", "datetime.now", "dt.datetime.now"}
FORBIDDEN_IMPORTS = ("flexiscan.model.finding", "flexiscan.policy", "time", "random.SystemRandom")


def test_a_probe_neither_sleeps_nor_judges_nor_asks_for_the_time() -> None:
    for source in sources_of("flexiscan_probes"):
        called = {ast.unparse(node.func) for node in ast.walk(source.tree) if isinstance(node, ast.Call)}
        assert not called & FORBIDDEN_CALLS, source.name
        assert not source.imports(*FORBIDDEN_IMPORTS), source.name


def test_nobody_prints() -> None:
    printing = [
        source.name
        for source in sources_of("flexiscan", "flexiscan_probes", "flexiscan_reports")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert set(printing) == {"flexiscan.witness"}  # a program without the rest, and without click

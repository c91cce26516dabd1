"""Wire codecs: no I/O, and each one that reads bytes is fed hostile ones."""

from __future__ import annotations

import ast
import functools

import pytest

from tests.arch.sources import Source, other_sources, sources_of

CODECS = sources_of("flexiscan_probes.wire")
IO_MODULES = (
    "socket",
    "ssl",
    "asyncio",
    "select",
    "os",
    "io",
    "pathlib",
    "subprocess",
    "time",
    "flexiscan.net",
    "flexiscan.sdk",
)


@pytest.mark.parametrize("codec", CODECS, ids=lambda source: source.name)
def test_a_codec_does_no_io(codec: Source) -> None:
    assert not codec.imports(*IO_MODULES, "flexiscan.sdk")


def reads_bytes(codec: Source) -> bool:
    """Whether a public function takes bytes that came from outside."""
    for node in codec.tree.body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in members:
            if not isinstance(function, ast.FunctionDef) or function.name.startswith(("_", "build", "encode", "write")):
                continue
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            if any(a.annotation is not None and "bytes" in ast.unparse(a.annotation) for a in arguments):
                return True
    return False


@functools.cache
def fuzzed() -> set[str]:
    """Codecs that a test with random input imports."""
    tests = [s for s in other_sources() if s.name.startswith("tests/codec/test_") and s.imports("hypothesis.given")]
    return {name for test in tests for name in test.imported}


@pytest.mark.parametrize("codec", [codec for codec in CODECS if reads_bytes(codec)], ids=lambda source: source.name)
def test_a_codec_that_reads_bytes_is_fuzzed(codec: Source) -> None:
    assert codec.name in fuzzed()

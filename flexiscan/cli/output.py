"""Writes results: files whole or not at all, stdout only what was asked for."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flexiscan.cli.options import wants_color
from flexiscan.engine.registry import load_renderer
from flexiscan.errors import UsageError
from flexiscan.model.renderer import RenderOptions

if TYPE_CHECKING:
    from flexiscan.model.result import ResultDocument


@dataclass(frozen=True, slots=True)
class Output:
    """What the user wants to see, and where."""

    formats: tuple[tuple[str, str], ...]
    lang: str
    color: str
    plain: bool
    verbose: int
    quiet: bool

    def write(self, document: ResultDocument) -> None:
        """Write every format, files first, then the summary (to stderr when a format took stdout)."""
        written = tuple(path for _, path in self.formats if path != "-")
        for name, path in sorted(self.formats, key=lambda pair: pair[1] == "-"):
            content = load_renderer(name).render(document, self._options(sys.stdout, written))
            if path == "-":
                write_stdout(content)
            else:
                write_file(Path(path), content)
        if self.quiet:
            return
        stream = sys.stderr if any(path == "-" for _, path in self.formats) else sys.stdout
        summary = load_renderer("text").render(document, self._options(stream, written))
        stream.flush()
        stream.buffer.write(summary)
        stream.buffer.flush()

    def _options(self, stream: object, written: tuple[str, ...]) -> RenderOptions:
        return RenderOptions(
            locale=self.lang,
            color=wants_color(self.color, stream),
            plain=self.plain,
            verbose=self.verbose > 0,
            written=written,
        )


def write_stdout(content: bytes) -> None:
    """Bytes to stdout, ending with a line end."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content if content.endswith(b"\n") else content + b"\n")
    sys.stdout.buffer.flush()


RECORD_IS_KEPT = "the run record is kept: flexiscan report RECORD --format ..."


def write_file(path: Path, content: bytes, *, next_step: str = RECORD_IS_KEPT) -> None:
    """Replace a file in one step. Raises UsageError when that is not possible; the old file then stays."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644 & ~_umask())
        Path(temporary).replace(path)
        temporary = ""
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", next_step) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

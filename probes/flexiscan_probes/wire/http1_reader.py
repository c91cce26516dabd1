"""The incremental, tolerant HTTP/1 response reader: bytes in, a value out, never an exception.

Whatever the splits of the input, the result is the same: each limit is applied at an exact byte position.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from flexiscan_probes.wire.http1 import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    STATUS_LINE,
    Framing,
    Head,
    Http1Response,
    Nature,
    body_framing,
    is_interim,
    parse_head,
)

_HEAD_END = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\n]*)?")
_MAX_CHUNK_LINE_BYTES = 4096
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|title|h[1-6]|p|pre|\?xml|!--)", re.IGNORECASE)
_TLS_RECORD = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")

_Stage = Literal["head", "length", "chunk-size", "chunk-data", "chunk-end", "trailers", "close", "alien", "done"]


class ResponseReader:
    """Reads one final response. Feed bytes until `done`, then (or at the end of input) ask for `result`.

    `max_head_bytes` covers all heads together, interim ones included; `max_body_bytes` the decoded body. The
    input as a whole is capped at the head limit plus twice the body limit, so framing overhead cannot run on.
    """

    def __init__(
        self,
        request_method: bytes,
        max_head_bytes: int = MAX_HEAD_BYTES,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._method = request_method
        self._max_head_bytes = max_head_bytes
        self._max_body_bytes = max_body_bytes
        self._input_left = max_head_bytes + 2 * max_body_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._head_bytes_used = 0
        self._stage: _Stage = "head"
        self._first = b""
        self._is_alien = False
        self._head = b""
        self._parsed: Head | None = None
        self._head_complete = False
        self._interim: list[int] = []
        self._defects: set[str] = set()
        self._framing: Framing = "none"
        self._expected_bytes = 0
        self._body = bytearray()
        self._body_complete = False
        self._truncated = False

    @property
    def done(self) -> bool:
        """True when nothing more needs to be read: the end was seen, or a limit was reached."""
        return self._stage == "done"

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection; bytes after the end of the response are ignored."""
        if self.done:
            return
        taken = data[: self._input_left]
        self._input_left -= len(taken)
        if len(self._first) < 3:
            self._first = (self._first + taken)[:3]
        self._buffer += taken
        steps: dict[_Stage, Callable[[], bool]] = {
            "head": self._step_head,
            "length": self._step_length,
            "chunk-size": self._step_chunk_size,
            "chunk-data": self._step_chunk_data,
            "chunk-end": self._step_chunk_end,
            "trailers": self._step_trailers,
            "close": self._step_close,
            "alien": self._step_close,
        }
        while self._stage != "done" and steps[self._stage]():
            pass
        if self._input_left == 0 and self._stage != "done":
            self._stop_truncated()

    def result(self, *, closed: bool) -> Http1Response:
        """The response so far. `closed`: the peer ended the connection in order (FIN or close_notify), which
        ends a body without a length; after a reset or a timeout such a body stays incomplete."""
        if self._is_alien:
            return self._alien(complete=closed)
        if self._parsed is None:
            return self._unfinished_head()
        complete = self._body_complete or (self._stage == "close" and closed)
        return self._response(self._head, self._parsed, complete=complete)

    # -- head ----------------------------------------------------------------------------------------------

    def _step_head(self) -> bool:
        if not self._drop_blank_lines() or not self._buffer:
            return False
        if not b"HTTP/".startswith(self._buffer[:5].upper()):
            self._stage, self._is_alien = "alien", True
            return True
        line_end = self._buffer.find(b"\n")
        if line_end >= 0 and STATUS_LINE.fullmatch(self._buffer[:line_end].removesuffix(b"\r")) is None:
            self._stage, self._is_alien = "alien", True
            return True
        found = _HEAD_END.search(self._buffer, max(0, self._searched - 2))
        allowed = self._max_head_bytes - self._head_bytes_used
        if found is None or found.end() > allowed:
            self._searched = len(self._buffer)
            if len(self._buffer) < allowed and found is None:
                return False
            self._end_overlong_head(allowed)
            return False
        self._take_head(found.end())
        return True

    def _drop_blank_lines(self) -> bool:
        """Empty lines before the start line are skipped (RFC 9112 section 2.2); False: a limit ended it."""
        if not self._buffer.startswith((b"\r", b"\n")):
            return True
        dropped = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        if self._head_bytes_used + dropped >= self._max_head_bytes:
            self._stop_truncated()
            return False
        del self._buffer[:dropped]
        self._head_bytes_used += dropped
        self._defects.add("blank-lines-first")
        return True

    def _end_overlong_head(self, allowed: int) -> None:
        self._buffer = self._buffer[:allowed]
        self._stop_truncated()

    def _take_head(self, end: int) -> None:
        head = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        self._head_bytes_used += end
        parsed = parse_head(head)
        if parsed is None:  # cannot be: the status line was checked; kept so that a slip never raises
            self._stage, self._is_alien = "alien", True
            return
        if is_interim(parsed.status):
            self._interim.append(parsed.status)
            return
        self._head, self._parsed, self._head_complete = head, parsed, True
        self._framing, self._expected_bytes, defects = body_framing(self._method, parsed)
        self._defects.update(defects)
        self._begin_body()

    def _begin_body(self) -> None:
        if self._framing == "none":
            self._finish()
        elif self._framing == "length":
            self._stage = "length"
        elif self._framing == "chunked":
            self._stage = "chunk-size"
        else:
            self._stage = "close"

    # -- body ----------------------------------------------------------------------------------------------

    def _keep(self, count: int) -> None:
        """Move `count` bytes of the buffer into the body, as far as the limit lets."""
        room = self._max_body_bytes - len(self._body)
        self._body += self._buffer[: min(count, room)]
        del self._buffer[:count]
        if count > room:
            self._stop_truncated()

    def _step_length(self) -> bool:
        count = min(len(self._buffer), self._expected_bytes)
        self._expected_bytes -= count
        self._keep(count)
        if self._expected_bytes == 0 and not self.done:
            self._finish()
        return False

    def _step_close(self) -> bool:
        self._keep(len(self._buffer))
        return False

    def _line(self) -> bytes | None:
        """The next line of chunk framing without its end; None when it is not whole yet or too long."""
        end = self._buffer.find(b"\n", 0, _MAX_CHUNK_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= _MAX_CHUNK_LINE_BYTES:
                self._stop_malformed("chunk-line-too-long")
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    def _step_chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        matched = _CHUNK_SIZE.fullmatch(line)
        if matched is None:
            self._stop_malformed("chunk-size-malformed")
            return False
        self._expected_bytes = int(matched[1], 16)
        self._stage = "chunk-data" if self._expected_bytes else "trailers"
        return True

    def _step_chunk_data(self) -> bool:
        count = min(len(self._buffer), self._expected_bytes)
        self._expected_bytes -= count
        self._keep(count)
        if self.done or self._expected_bytes:
            return False
        self._stage = "chunk-end"
        return True

    def _step_chunk_end(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            self._stop_malformed("chunk-end-missing")
            return False
        self._stage = "chunk-size"
        return True

    def _step_trailers(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self._finish()
        return bool(line)

    # -- ends ----------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        self._body_complete = True
        self._stage = "done"

    def _stop_truncated(self) -> None:
        self._truncated = True
        self._stage = "done"

    def _stop_malformed(self, defect: str) -> None:
        self._defects.add(defect)
        self._stage = "done"

    def _unfinished_head(self) -> Http1Response:
        """Input ended inside a head: what is there of it, or of the interim responses before it."""
        rest = bytes(self._buffer)
        whole_lines = rest[: rest.rfind(b"\n") + 1]
        parsed = parse_head(whole_lines) if whole_lines else None
        if parsed is not None and not is_interim(parsed.status):
            return self._response(rest, parsed, complete=False)
        nature: Nature = "cut" if rest or self._interim or self._defects or self._truncated else "nothing"
        return Http1Response(
            nature=nature,
            head=rest,
            interim=tuple(self._interim),
            truncated=self._truncated,
            defects=tuple(sorted(self._defects)),
        )

    def _alien(self, *, complete: bool) -> Http1Response:
        body = bytes(self._body)
        nature: Nature = "garbage"
        if _TLS_RECORD.match(self._first):
            nature = "tls-record"
        elif _MARKUP.match(body):
            nature = "http09"
        return Http1Response(
            nature=nature,
            interim=tuple(self._interim),
            body=body,
            framing="close",
            body_complete=complete and not self._truncated,
            truncated=self._truncated,
            defects=tuple(sorted(self._defects)),
        )

    def _response(self, head: bytes, parsed: Head, *, complete: bool) -> Http1Response:
        return Http1Response(
            nature="http1",
            version=parsed.version,
            status=parsed.status,
            reason=parsed.reason,
            head=head,
            headers=parsed.headers,
            interim=tuple(self._interim),
            body=bytes(self._body),
            framing=self._framing,
            head_complete=self._head_complete,
            body_complete=complete,
            truncated=self._truncated,
            defects=tuple(sorted(self._defects | set(parsed.defects))),
        )

"""HTTP/1 without I/O: a byte-exact request writer and the values a response is read into.

A scanner must send what no library sends (dot segments, two Host lines, a bare `%`) and must keep what no
library keeps (header order, case and duplicates, an answer that is not HTTP). So both directions work on
bytes. The reader lives in `http1_reader`. Sources: RFC 9112 (framing), RFC 9110 section 15.2 (interim
responses).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MAX_HEAD_BYTES = 64 * 1024
"""Status line and headers, interim responses included; safety cap of the scanner, not of any RFC."""
MAX_BODY_BYTES = 512 * 1024
"""Body bytes kept of one response; the rest is not read. Safety cap of the scanner."""

Header = tuple[bytes, bytes]

Nature = Literal["nothing", "http1", "http09", "cut", "tls-record", "garbage"]
"""What the bytes were: no byte; a status line; markup without a status line (HTTP/0.9); a status line that
ended in the middle; a TLS record on a connection that was spoken to in clear; anything else."""

Framing = Literal["none", "length", "chunked", "close"]

STATUS_LINE = re.compile(rb"(?i:HTTP)/([0-9](?:\.[0-9])?)[ \t]+([0-9]{3})(?:[ \t]+([^\n]*))?")


@dataclass(frozen=True, slots=True)
class Http1Request:
    """One request as bytes. An empty `version` writes the HTTP/0.9 form: method, target, line end."""

    method: bytes
    target: bytes
    headers: tuple[Header, ...] = ()
    version: bytes = b"HTTP/1.1"
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Http1Response:
    """What was read, as far as it went.

    `head` holds the exact bytes of the final head, `headers` the same in order with case and duplicates,
    `body` the bytes after transfer decoding (content encoding untouched). `head_complete` and `body_complete`
    say whether the end was seen; `truncated` that a limit of ours ended it. `defects` are stable ids.
    """

    nature: Nature
    version: str = ""
    status: int | None = None
    reason: bytes = b""
    head: bytes = b""
    headers: tuple[Header, ...] = ()
    interim: tuple[int, ...] = ()
    body: bytes = b""
    framing: Framing = "none"
    head_complete: bool = False
    body_complete: bool = False
    truncated: bool = False
    defects: tuple[str, ...] = ()

    def values(self, name: str) -> tuple[bytes, ...]:
        """Every value of the header `name` (any case), in the order of the wire."""
        wanted = name.lower().encode("latin-1")
        return tuple(value for key, value in self.headers if key.lower() == wanted)


def encode_request(request: Http1Request) -> bytes:
    """The request's bytes: nothing added, nothing normalised."""
    if not request.version:
        return request.method + b" " + request.target + b"\r\n"
    lines = [b"%b %b %b" % (request.method, request.target, request.version)]
    lines.extend(b"%b: %b" % header for header in request.headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.body


@dataclass(frozen=True, slots=True)
class Head:
    """A parsed head: status line values, headers in order, and what was wrong with it."""

    version: str
    status: int
    reason: bytes
    headers: tuple[Header, ...]
    defects: tuple[str, ...]


def parse_head(head: bytes) -> Head | None:
    """Read a head tolerantly (bare LF, folded lines, blanks before the colon); None without a status line."""
    lines = [line.removesuffix(b"\r") for line in head.split(b"\n")]
    matched = STATUS_LINE.fullmatch(lines[0])
    if matched is None:
        return None
    defects: set[str] = set()
    headers: list[Header] = []
    for line in lines[1:]:
        if not line:
            continue
        if line[:1] in (b" ", b"\t"):
            defects.add("folded-header")
            if headers:
                headers[-1] = (headers[-1][0], headers[-1][1] + b" " + line.strip(b" \t"))
            continue
        name, colon, value = line.partition(b":")
        if not colon or not name.strip(b" \t"):
            defects.add("line-without-name")
            continue
        if name != name.strip(b" \t"):
            defects.add("blank-before-colon")
        if b"\r" in line or b"\x00" in line:
            defects.add("control-character")
        headers.append((name.strip(b" \t"), value.strip(b" \t")))
    return Head(
        version=matched[1].decode("ascii"),
        status=int(matched[2]),
        reason=(matched[3] or b"").rstrip(),
        headers=tuple(headers),
        defects=tuple(sorted(defects)),
    )


def is_interim(status: int) -> bool:
    """True for an answer that announces another one (RFC 9110 section 15.2); 101 is final."""
    return 100 <= status < 200 and status != 101


def body_framing(request_method: bytes, head: Head) -> tuple[Framing, int, tuple[str, ...]]:
    """How the body ends (RFC 9112 section 6.3): framing, length in bytes when it is `length`, and defects."""
    if request_method.upper() == b"HEAD" or head.status in (204, 304) or head.status == 101:
        return "none", 0, ()
    codings = b",".join(v for n, v in head.headers if n.lower() == b"transfer-encoding").lower().split(b",")
    lengths = {v.strip() for n, v in head.headers if n.lower() == b"content-length" for v in v.split(b",")}
    if codings != [b""]:
        defects = ("length-beside-coding",) if lengths else ()
        framing: Framing = "chunked" if codings[-1].strip(b" \t") == b"chunked" else "close"
        return framing, 0, defects
    if not lengths:
        return "close", 0, ()
    if len(lengths) > 1:
        return "close", 0, ("length-conflict",)
    text = lengths.pop()
    if not text.isdigit() or len(text) > 18:  # 18 digits: beyond any body, and still a quick int()
        return "close", 0, ("length-malformed",)
    return "length", int(text), ()

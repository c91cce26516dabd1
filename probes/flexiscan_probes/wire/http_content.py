"""Content decoding without I/O: gzip and deflate with a hard cap, and text out of bytes for comparison.

A gzip bomb is data like any other: decoding stops at the cap and says so. Source: RFC 9110 section 8.4.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

MAX_DECODED_BYTES = 2 * 1024 * 1024
"""Decoded bytes of one response; safety cap of the scanner."""
_MAX_LAYERS = 2
_WBITS = {b"gzip": (31,), b"x-gzip": (31,), b"deflate": (15, -15)}  # deflate is sent raw by some servers
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_TEXT_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-1": "cp1252",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
}


@dataclass(frozen=True, slots=True)
class DecodedContent:
    """The decoded bytes as far as they went; `defect` is "" or a stable id of what stopped the decoding."""

    data: bytes
    defect: str = ""


def decode_content(body: bytes, codings: tuple[bytes, ...], max_bytes: int = MAX_DECODED_BYTES) -> DecodedContent:
    """Undo the Content-Encoding values `codings` (wire order, comma lists allowed), at most `max_bytes` out.

    Unknown codings leave the body as it is, defect `coding-unknown`; broken data gives what could be decoded,
    defect `coding-broken`; a result at the cap `decoded-too-large`; more than two layers `coding-layers`.
    """
    names = [n.strip().lower() for value in codings for n in value.split(b",")]
    layers = [name for name in names if name not in (b"", b"identity")]
    if len(layers) > _MAX_LAYERS:
        return DecodedContent(body, "coding-layers")
    data = body
    for name in reversed(layers):
        if name not in _WBITS:
            return DecodedContent(data, "coding-unknown")
        decoded = _inflate(data, _WBITS[name], max_bytes)
        if decoded.defect:
            return decoded
        data = decoded.data
    return DecodedContent(data)


def _inflate(data: bytes, wbits_choices: tuple[int, ...], max_bytes: int) -> DecodedContent:
    best = DecodedContent(b"", "coding-broken")
    for wbits in wbits_choices:
        engine = zlib.decompressobj(wbits)
        try:
            out = engine.decompress(data, max_bytes)
        except zlib.error:
            continue
        if engine.unconsumed_tail:
            return DecodedContent(out, "decoded-too-large")
        if engine.eof or not data:
            return DecodedContent(out)
        best = DecodedContent(out, "coding-broken")
    return best


def decode_text(data: bytes, content_type: bytes = b"") -> str:
    """Text of a body for comparison and display: the named charset when it is a common one, else UTF-8, else
    Windows-1252 (what IIS of that age sends); undecodable bytes become U+FFFD, never an error."""
    named = _CHARSET.search(content_type) or _CHARSET.search(data[:1024])
    charset = _TEXT_CHARSETS.get(named[1].decode("ascii").lower(), "") if named else ""
    if not charset:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            charset = "cp1252"
    return data.decode(charset, "replace")

"""Takes out of a page what changes from answer to answer, so that two answers of one kind compare as equal.

Removed: the echoed request path, markup noise, dates, GUIDs, nonces, __VIEWSTATE, long tokens, numbers.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from urllib.parse import quote, unquote

_HIDDEN_STATE = re.compile(
    r"<input\b[^>]{0,200}\bname\s*=\s*[\"']?(?:__\w{3,40}|csrf\w*|_token|authenticity_token|nonce)\b[^>]{0,4000}>",
    re.IGNORECASE,
)
_NONCE = re.compile(r"\b(?:nonce|integrity|data-rid|data-request-id)\s*=\s*[\"'][^\"']{0,200}[\"']", re.IGNORECASE)
_GUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_DATE_WORDS = re.compile(
    r"\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b"
    r"|\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b|\b(?:am|pm|gmt|utc|cest|cet)\b",
    re.IGNORECASE,
)
_LONG_HEX = re.compile(r"\b[0-9a-f]{8,}\b", re.IGNORECASE)
_LONG_TOKEN = re.compile(r"(?=[A-Za-z0-9+/_=-]{0,200}[0-9])[A-Za-z0-9+/_=-]{20,}")
_NUMBER = re.compile(r"[0-9]+")
_WORD = re.compile(r"[^\W_]+|[<>=/]+", re.UNICODE)
_COMMENT = re.compile(r"<!--.{0,400}?-->", re.DOTALL)
_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,400}?)</title", re.IGNORECASE | re.DOTALL)

KNOWN_WORDS = ("admin", "index")
"""Segments of the targets. They are taken out of every page, not only of the answer to their own path: a page that
is the same for all paths may link to /admin, and must still compare as the same."""
_ECHO_MIN_CHARS = 3
"""Shorter path segments are not taken out: they would take ordinary words with them."""


def title_of(text: str) -> str:
    """The page title, blanks folded; "" when there is none."""
    found = _TITLE.search(text)
    return " ".join(html.unescape(_COMMENT.sub(" ", found[1])).split()) if found else ""


def without_echo(text: str, target: str) -> str:
    """The text with the segments of the request target taken out, in every spelling a page may use.

    Segments, not whole paths: so the same marks of punctuation stay behind for every target.
    """
    return _echo_of(target).sub(" ~ ", text)


@lru_cache(maxsize=512)
def _echo_of(target: str) -> re.Pattern[str]:
    spellings: set[str] = set(KNOWN_WORDS)
    for piece in re.split(r"[/?&=;.\\]", target):
        plain = unquote(piece)
        spellings.update((piece, plain, html.escape(plain), quote(plain), plain[::-1]))
    wanted = sorted((s for s in spellings if len(s) >= _ECHO_MIN_CHARS), key=len, reverse=True)
    return re.compile("|".join(re.escape(s) for s in wanted), re.IGNORECASE)


def words_of(text: str, target: str) -> tuple[str, ...]:
    """The stable words of a page, in order."""
    stable = _HIDDEN_STATE.sub(" ", text)
    stable = _NONCE.sub(" ", stable)
    stable = without_echo(stable, target)
    stable = _GUID.sub(" # ", stable)
    stable = _LONG_HEX.sub(" # ", stable)
    stable = _LONG_TOKEN.sub(" # ", stable)
    stable = _DATE_WORDS.sub(" # ", stable)
    stable = _NUMBER.sub(" # ", stable)
    return tuple(word.lower() for word in _WORD.findall(stable))

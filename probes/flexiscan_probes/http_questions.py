"""Which requests the web probe puts to one channel of one port, in which order. Pure.

The targets are always asked between controls: pages that are known to answer (canaries) before, during and after,
and two random missing paths of each target's own shape, one before and one after its first turn. The reading of
the answers is not done here.
"""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from flexiscan.model.target import App

Channel = Literal["http", "https", "h2"]

ADMIN_TARGETS: Final = ("/admin", "/admin/", "/ADMIN/", "/admin/index.php")
"""Guide: Internet Information Service settings (/admin is coded in PHP). IIS does not mind the case; a rule of a proxy
may, so one spelling differs from the guide's."""
APP_PATHS: Final[Mapping[App, str]] = {
    "presentity": "/Presentity/",
    "mobile": "/mobile/",
    "api": "/api/",
    "tidweb": "/tidweb/",
    "tid": "/tid/",
}
"""Guide: Internet Information Service settings, in the guide's spelling."""
DEFAULT_APPS: Final[tuple[App, ...]] = ("presentity", "mobile", "api", "tidweb")
"""What the guide's separate external site publishes."""
CANARY_APPS: Final = 2
WORD_LETTERS: Final = 5
"""As many as `admin` and `index` have: a missing path must have the target's own shape."""
WORDS: Final = 16


@dataclass(frozen=True, slots=True)
class Question:
    """One request of the set. `name` is unique within a channel; `params` go into the task."""

    role: str
    name: str
    target: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """What the questions depend on: carried along in the params of the task that opens a set."""

    canaries: tuple[str, ...]
    apps: tuple[str, ...]
    words: tuple[str, ...]

    def as_params(self) -> dict[str, Any]:
        """As plain data."""
        return {"canaries": list(self.canaries), "apps": list(self.apps), "words": list(self.words)}

    @staticmethod
    def from_params(params: Mapping[str, Any]) -> Subject:
        """Back from plain data."""
        return Subject(tuple(params["canaries"]), tuple(params["apps"]), tuple(params["words"]))


def subject_of(apps: Sequence[App] | None, seed: str) -> Subject:
    """The subject for the declared applications (None: not declared). The same seed gives the same words."""
    chosen = DEFAULT_APPS if apps is None else tuple(apps)
    paths = tuple(APP_PATHS[app] for app in chosen)
    source = random.Random(seed)
    words = tuple("".join(source.choices(string.ascii_lowercase, k=WORD_LETTERS)) for _ in range(WORDS))
    return Subject(("/", *paths[:CANARY_APPS]), paths, words)


def imitate(target: str, words: Sequence[str]) -> str:
    """A missing path with the shape of the target: same depth, lengths, case, slashes and extension."""
    swaps = {"admin": words[0], "ADMIN": words[0].upper(), "index": words[1]}
    for word, stranger in swaps.items():
        target = target.replace(word, stranger)
    return target


def first_look(channel: Channel, target: str, number: int) -> Question:
    """The question that finds out whether the channel speaks HTTP at all; `number` counts the looks at a port."""
    return Question("web-look", f"look-{number}-{channel}", target)


def first_half(subject: Subject) -> Iterable[Question]:
    """Canaries, one missing path of each shape, the targets, canaries again."""
    yield from _canaries(subject, "before")
    yield from _missing(subject.words[0:2], 1)
    yield from _targets(1)
    yield from _canaries(subject, "during")


def second_half(subject: Subject, *, clear: bool) -> Iterable[Question]:
    """Other missing paths, a browser's questions, the targets again, samples for the headers, canaries.

    `clear`: the channel is plain HTTP, so a path is added that shows how it redirects.
    """
    yield from _missing(subject.words[2:4], 2)
    yield from _browser(subject)
    yield from _targets(2)
    yield from _samples(subject)
    if clear:
        yield _QUERY
    yield from _canaries(subject, "after")


def second_half_of_redirector(subject: Subject) -> Iterable[Question]:
    """The second half where everything was sent to HTTPS so far: what still could be otherwise, and canaries."""
    yield from itertools.islice(_browser(subject), 1)
    yield from itertools.islice(_samples(subject), 1)
    yield Question("web-sample", "sample-static", "/favicon.ico", {"sample": "static"})
    yield Question("web-sample", "sample-malformed", "/%", {"sample": "malformed"})
    yield _QUERY
    yield from _canaries(subject, "after")


def h2_set(subject: Subject) -> Iterable[Question]:
    """The same by HTTP/2, shorter: one spelling of the target, two canaries."""
    short = replace(subject, canaries=subject.canaries[:2])
    yield from _canaries(short, "before")
    for turn in (1, 2):
        params = {"shape": "/admin/", "set": turn}
        missing = imitate("/admin/", subject.words[8 + 2 * turn : 10 + 2 * turn])
        yield Question("web-missing", f"missing-{turn}", missing, params)
        yield Question("web-admin", f"admin-{turn}", "/admin/", {"turn": turn})
        if turn == 1:
            yield from _canaries(short, "during")
    yield from _canaries(short, "after")


_QUERY: Final = Question("web-sample", "sample-query", "/Presentity/x%20y/?a=1&b=%2F", {"sample": "query"})


def _canaries(subject: Subject, phase: str) -> Iterable[Question]:
    for number, path in enumerate(subject.canaries, 1):
        yield Question("web-canary", f"canary-{phase}-{number}", path, {"phase": phase})


def _missing(words: Sequence[str], number: int) -> Iterable[Question]:
    for index, target in enumerate(ADMIN_TARGETS, 1):
        params = {"shape": target, "set": number}
        yield Question("web-missing", f"missing-{number}-{index}", imitate(target, words), params)


def _targets(turn: int) -> Iterable[Question]:
    for index, target in enumerate(ADMIN_TARGETS, 1):
        yield Question("web-admin", f"admin-{turn}-{index}", target, {"turn": turn})


def _browser(subject: Subject) -> Iterable[Question]:
    for number, path in enumerate(subject.canaries, 1):
        yield Question("web-canary", f"browser-canary-{number}", path, {"phase": "during", "agent": "browser"})
    missing = imitate("/admin/", subject.words[4:6])
    yield Question("web-missing", "browser-missing", missing, {"shape": "/admin/", "agent": "browser"})
    for turn in (1, 2):
        yield Question("web-admin", f"browser-admin-{turn}", "/admin/", {"turn": turn, "agent": "browser"})


def _samples(subject: Subject) -> Iterable[Question]:
    """One answer of each kind that the guide's settings shape: page, error, redirect, static, refused."""
    words = subject.words
    for path in subject.apps:
        if path not in subject.canaries:
            yield Question("web-sample", f"sample{path.rstrip('/')}", path, {"sample": "page"})
    kinds = {
        "redirect": "/Presentity",
        "error-php": f"/mobile/{words[6]}.php",
        "error-aspnet": f"/Presentity/{words[7]}.aspx",
        "error-static": f"/Presentity/{words[8]}.css",
        "static": "/favicon.ico",
        "malformed": "/%",
    }
    for kind, path in kinds.items():
        yield Question("web-sample", f"sample-{kind}", path, {"sample": kind})

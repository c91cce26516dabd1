"""What a report shows, ready to be set in type: every string is final, in one language, and made visible.

The templates compute nothing; whatever they need is here. Escaping for HTML or Markdown is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

Kind = str
"""A verdict of the model, or "partial" (passes beside checks that were not run), or "ask" (cannot be seen)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A status: which shape and colour, and the word that says the same."""

    kind: Kind
    word: str


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the same document."""

    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One conclusion and everywhere it was drawn."""

    sentence: str
    places: tuple[str, ...]
    short: str
    """The places in few letters: "v4,v6 443/tcp"; empty for the host as a whole."""
    confidence: str
    mark: Mark
    result: str
    advice: str = ""
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Topic:
    """One rule within a card or a list."""

    rule: str
    anchor: str
    title: str
    severity: str
    severity_kind: str
    beyond: bool
    what: str
    why: str
    sightings: tuple[Sighting, ...]
    guide: tuple[str, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """All places of the topic, in order, each once."""
        return tuple(dict.fromkeys(place for sighting in self.sightings for place in sighting.places))


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: the topics that the same fix puts right."""

    anchor: str
    do: str
    place: str
    place_short: str
    place_key: str
    severity: str
    severity_kind: str
    topics: tuple[Topic, ...]
    steps: tuple[str, ...]
    path: str
    shell: str
    commands: tuple[str, ...]
    breaks: str
    undo: str
    undo_commands: tuple[str, ...]
    retest: str


@dataclass(frozen=True, slots=True)
class JobGroup:
    """Jobs that are done at the same place."""

    anchor: str
    name: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something stayed open or was not checked, and all rules that it concerns."""

    result: str
    sentence: str
    advice: str
    topics: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A line that only the administrator can answer."""

    rule: str
    anchor: str
    title: str
    question: str
    why: str
    do: str
    attested: str


@dataclass(frozen=True, slots=True)
class Cell:
    """What one family looks like for one line of the checklist."""

    mark: Mark
    detail: str


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One row of the checklist matrix."""

    anchor: str
    number: str
    title: str
    meaning: str
    ipv4: Cell | None
    ipv6: Cell | None
    links: tuple[Link, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Counter:
    """How many findings have a verdict."""

    mark: Mark
    number: int


@dataclass(frozen=True, slots=True)
class AddressLine:
    """One address of the host and what became of it."""

    family: str
    address: str
    note: str
    counters: tuple[Counter, ...]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One observation as evidence."""

    id: str
    anchor: str
    when: str
    what: tuple[str, ...]
    blocks: tuple[tuple[str, str], ...]
    """Labelled blocks of what was sent and received."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A topic with the observations that it rests on."""

    topic: Topic
    mark: Mark
    exhibits: tuple[Exhibit, ...]
    more: str
    """Says how many observations were left out; empty when none."""


@dataclass(frozen=True, slots=True)
class HostView:
    """Everything about one host."""

    anchor: str
    host: str
    addresses: tuple[AddressLine, ...]
    verdict: Mark
    verdict_sentence: str
    also: str
    counters: tuple[Counter, ...]
    small: str
    """The verdict that is shown small: not applicable."""
    first: tuple[Job, ...]
    first_more: str
    first_open: tuple[Reason, ...]
    """Where there is nothing to fix: what would settle the open questions, each advice once."""
    checklist: tuple[CheckLine, ...]
    jobs: tuple[Job, ...]
    """All jobs, the worst first."""
    groups: tuple[JobGroup, ...]
    """The same jobs by the place where they are done."""
    open: tuple[Reason, ...]
    questions: tuple[Question, ...]
    proofs: tuple[Proof, ...]
    passes: tuple[Topic, ...]
    passes_title: str
    not_applicable: tuple[Topic, ...]
    not_applicable_title: str
    not_checked: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """The whole report."""

    language: str
    title: str
    heading: str
    when: str
    when_short: str
    took: str
    sources: tuple[str, ...]
    capture: str
    """The capture file of a run with raw sockets; empty when there is none."""
    guide: str
    authorised_by: str
    hosts: tuple[HostView, ...]
    verdict: Mark
    verdict_sentence: str
    run_facts: tuple[Fact, ...]
    controls: tuple[str, ...]
    limits: tuple[str, ...]
    made_by: str
    exit_code: int
    exit_line: str

"""Versions and suites that a server agreed to, straight from the facts of a result document, without any rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flexiscan.model.tls_suites import SSL2_NAMES, suite_name

AGREEMENTS = ("server-hello", "hello-retry")


def agreed_suites(hellos: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Version to the registered names of the suites that were agreed to; a version without any is not in it."""
    agreed: dict[str, set[str]] = {}
    for hello in hellos:
        if hello["outcome"] not in AGREEMENTS or hello["version"] != hello["hello"]["version"]:
            continue
        names = agreed.setdefault(hello["version"], set())
        if hello["version"] == "SSLv2":
            names.update(SSL2_NAMES[kind] for kind in hello["suites"])
        elif hello["suite"] in hello["hello"]["suites"]:
            names.add(suite_name(hello["suite"]))
    return {version: names for version, names in agreed.items() if names}

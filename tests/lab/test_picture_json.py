"""Pictures survive the way to a server process, and nothing else does."""

from __future__ import annotations

import json

import pytest

from flexiscan_lab.picture_json import PictureError, decode, encode
from flexiscan_lab.scenario import Certificate, DnsPicture, HostPicture, Service
from flexiscan_lab.scenarios import ALL


@pytest.mark.parametrize("name", ALL)
def test_every_picture_comes_back_as_it_went(name: str) -> None:
    scenario = ALL[name]
    for _, picture in scenario.pictures():
        assert decode(HostPicture, json.loads(json.dumps(encode(picture)))) == picture
    assert decode(DnsPicture, json.loads(json.dumps(encode(scenario.dns)))) == scenario.dns


@pytest.mark.parametrize(
    "value",
    [
        {"type": "Certificate", "unknown": 1},
        {"type": "Service"},
        {"names": []},
        [],
        "text",
        {"type": "Certificate", "names": "not a list"},
        {"type": "Certificate", "key": {"type": "Certificate"}},
    ],
)
def test_other_json_is_refused(value: object) -> None:
    with pytest.raises(PictureError):
        decode(Certificate, value)


def test_a_service_needs_a_known_talk() -> None:
    with pytest.raises(PictureError, match="no member called"):
        decode(Service, {"type": "Service", "transport": "tcp", "port": 1, "talk": {"type": "Gossip"}})


def test_only_data_is_written() -> None:
    with pytest.raises(PictureError, match="set"):
        encode((1, {2}))

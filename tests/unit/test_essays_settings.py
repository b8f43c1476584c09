from typing import Any

import pytest

from mimic.essays.settings import (
    ApiModeration,
    CsvSource,
    EmbeddedSource,
    EssaysSettings,
    HubSource,
    LocalModeration,
)
from mimic.settings import parse_settings


def parse(values: dict[str, Any]) -> EssaysSettings:
    return parse_settings(EssaysSettings, values, source="config.yaml")


def test_the_kind_decides_the_source() -> None:
    assert parse({}).source == EmbeddedSource(kind="embedded")
    assert isinstance(parse({"source": {"kind": "csv", "path": "a.csv"}}).source, CsvSource)
    hub = parse({"source": {"kind": "hub", "revision": "0123abc"}}).source
    assert hub == HubSource(
        kind="hub", name="jingjietan/essays-big5", revision="0123abc", composed=False
    )


API = {"kind": "api", "consent": "the form of consent, point 4", "terms": "contract 17"}


def test_moderation_is_local_unless_an_api_is_named() -> None:
    assert parse({}).moderation == LocalModeration(kind="local")
    api = parse({"moderation": {**API, "base_url": "http://127.0.0.1:8000/v1/"}}).moderation
    assert isinstance(api, ApiModeration)
    assert (api.base_url, api.model) == ("http://127.0.0.1:8000/v1", "omni-moderation-latest")


@pytest.mark.parametrize("missing", ["consent", "terms"])
@pytest.mark.parametrize("value", [None, " "])
def test_no_api_without_consent_and_terms(missing: str, value: str | None) -> None:
    values = {**API, missing: value}
    message = rf"moderation\.{missing} = .*essays are of real people and stay on this machine"
    with pytest.raises(ValueError, match=message):
        parse({"moderation": values})
    del values[missing]
    with pytest.raises(ValueError, match=message):
        parse({"moderation": values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": {"kind": "cvs"}}, "'embedded', 'csv', 'hub'"),
        ({"source": {"kind": "hub"}}, "revision"),
        ({"source": {"kind": "hub", "name": "/home/me/e", "revision": "1"}}, "`kind: csv`"),
        ({"source": {"kind": "hub", "name": "~/e", "revision": "1"}}, "'~/e' is a place of this"),
        ({"source": {"kind": "csv"}}, "path"),
        ({"source": {"kind": "csv", "path": "a", "encoding": "utf-16"}}, "'iso-8859-1'"),
        ({"source": {"kind": "embedded", "path": "a"}}, "path: no such setting"),
        ({"roles": {"G": 0.6}}, r"sum to 1\.1; they must sum to 1"),
        ({"roles": {"G": 0.5, "E": 0.5, "T": 0}}, "roles.T = 0"),
        ({"near_duplicate": 0}, "near_duplicate = 0"),
        ({"moderation": {"kind": "remote"}}, "'none', 'local', 'api'"),
        ({"moderation": {**API, "base_url": "http://api.example.org/v1"}}, "begins with https://"),
        ({"moderation": {**API, "base_url": "api.example.org/v1"}}, "begins with https://"),
        ({"moderation": {**API, "base_url": "https://me:key@x.org/v1"}}, "key_variable"),
        ({"moderation": {**API, "base_url": "https://x.org/v1?key=1"}}, "key_variable"),
        ({"moderation": {**API, "key_variable": "sk-123"}}, "key_variable = 'sk-123'"),
        ({"moderation": {**API, "key": "123"}}, "key: no such setting"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"(?s)config\.yaml.*{message}"):
        parse(values)

from typing import Any

import pytest

from mimic.essays.settings import CsvSource, EmbeddedSource, EssaysSettings, HubSource
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": {"kind": "cvs"}}, "'embedded', 'csv', 'hub'"),
        ({"source": {"kind": "hub"}}, "revision"),
        ({"source": {"kind": "csv"}}, "path"),
        ({"source": {"kind": "csv", "path": "a", "encoding": "utf-16"}}, "'iso-8859-1'"),
        ({"source": {"kind": "embedded", "path": "a"}}, "path: no such setting"),
        ({"roles": {"G": 0.6}}, r"sum to 1\.1; they must sum to 1"),
        ({"roles": {"G": 0.5, "E": 0.5, "T": 0}}, "roles.T = 0"),
        ({"near_duplicate": 0}, "near_duplicate = 0"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"(?s)config\.yaml.*{message}"):
        parse(values)

"""A made-up entry of a store."""

from pathlib import Path
from typing import Any

from mimic.provenance.records import make_record
from mimic.provenance.store import Store

SPEC = {"step": "forms.build", "settings": {"seed": 1}}
NAME = "0" * 40


def record_of(outputs: dict[str, str]) -> dict[str, Any]:
    return make_record(identity={"spec": SPEC, "outputs": outputs}, circumstances={})


def seal(store: Store, files: dict[str, str], identity: str = NAME) -> Path:
    with store.lock(identity) as lock, store.fresh_out(identity) as out:
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        store.seal(identity, out, lock=lock, record=record_of)
    return store.entry(identity)

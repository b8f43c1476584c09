"""Whether an entry of the store may be linked: it is whole, and it is what its name says."""

from __future__ import annotations

from mimic.provenance.records import read_record, recomputed_identity
from mimic.provenance.store import RECORD, Store


def refusal(store: Store, identity: str) -> list[str]:
    """Why an entry isn't linked, but made again; nothing if all is well.

    Parameters
    ----------
    store
        That has a folder of the identity.
    identity
        Of the entry.

    Raises
    ------
    OSError
        If the entry can't be read now, which doesn't tell whether it is whole.
    """
    if wrong := store.misfits(identity):
        return wrong
    place = store.entry(identity) / RECORD
    try:
        record = read_record(place)
    except ValueError as error:
        return [str(error)]
    made = recomputed_identity(record["identity"])
    if made != identity:
        return [f"{place}: its contents give the identity {made}"]
    return []

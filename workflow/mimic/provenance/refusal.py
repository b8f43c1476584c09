"""Whether an entry of the store may be linked: it is whole, and it is what its name says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mimic.files import read_json, sha256_file
from mimic.provenance.records import part_digest, read_record, recomputed_identity
from mimic.provenance.store import MANIFEST, RECORD, Store, contents_of

PARTS = ("identity", "circumstances")


def misfits(
    store: Store, identity: str, *, digest: Callable[[Path], str] = sha256_file
) -> list[str]:
    """What of an entry doesn't fit its manifest or its record; nothing if all is well.

    Parameters
    ----------
    store, identity
        Of the entry.
    digest
        Gives the sha256 of a file.

    Raises
    ------
    OSError
        If something of it can't be read for another reason than that it is missing: a file
        server that doesn't answer says nothing about the bytes.
    """
    entry = store.entry(identity)
    try:
        # First: a file server's client that is asked for the list forgets what it knew.
        found = contents_of(entry, digest=digest, without={RECORD, MANIFEST})
        manifest = dict(read_json(entry / MANIFEST))
        record = read_json(entry / RECORD)
        recorded = dict(record["identity"]["outputs"])
        edited = [name for name in PARTS if part_digest(record[name]) != record["sha256"][name]]
        named = {name: contents["sha256"] for name, contents in manifest.items()}
        own = digest(entry / MANIFEST)
    except FileNotFoundError as error:
        return [f"{error.filename} is missing"]
    except (IsADirectoryError, ValueError, KeyError, TypeError) as error:
        return [f"{entry}: {error}"]
    wrong = [f"the {name} part of {RECORD} was edited" for name in edited]
    for name in sorted({*manifest, *found}):
        if name not in found:
            wrong.append(f"{name} is missing")
        elif name not in manifest:
            wrong.append(f"{name} is none of its files")
        elif found[name] != manifest[name]:
            wrong.append(f"{name} has other bytes than its manifest says")
    if recorded.pop(MANIFEST, None) != own or recorded != named:
        wrong.append(f"{MANIFEST} and {RECORD} don't fit each other")
    return wrong


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
    if wrong := misfits(store, identity):
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

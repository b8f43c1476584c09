"""The forms of a study, and the words of each item under each instruction wording."""

from __future__ import annotations

from mimic.forms.authored import ORDERS, Authored, Form, build_form


def draw_forms(
    authored: Authored, *, formats: tuple[str, ...], wordings: tuple[str, ...]
) -> list[Form]:
    """Formats × wordings × both orders: every wording stands in every format."""
    return [
        build_form(authored, format_name=name, wording=wording, order=order)
        for name in formats
        for wording in wordings
        for order in ORDERS
    ]


def drawn_wordings(parts: dict[str, str], *, part: str, count: int) -> tuple[str, ...]:
    """The first so many instruction wordings of a part.

    Raises
    ------
    ValueError
        If more are asked for than there are.
    """
    names = [name for name, found in parts.items() if found == part]
    if count > len(names):
        raise ValueError(
            f"forms.wordings is {count}, but only {len(names)} of the {len(parts)} authored "
            "wordings are for tests; lower it or write more in config/forms/authored.yaml"
        )
    return tuple(names[:count])

"""What a respondent is asked: instruction and options first, then the target, the item last."""

from __future__ import annotations

from mimic.chat import persona
from mimic.forms.authored import Form
from mimic.traits import Profile


def request(form: Form, *, about: str, statement: str) -> str:
    """The words of one question.

    Parameters
    ----------
    about
        What the prompt says of the respondent, from `describe`.
    statement
        The item as a sentence.
    """
    return f"{form.instruction}\n\n{about}\n\nStatement: {statement}"


def describe(profile: Profile, own_text: str | None) -> str:
    """The target and, with the context ``own``, what the run wrote for it."""
    sentence = persona(profile)
    if own_text is None:
        return sentence
    return f"{sentence}\nYou wrote: {own_text}"

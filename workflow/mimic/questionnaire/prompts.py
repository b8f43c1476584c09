"""What a respondent is asked: instruction and options first, then the subject, the item last."""

from __future__ import annotations

from mimic.forms.authored import Form


def request(form: Form, *, about: str, statement: str) -> str:
    """The words of one question.

    Parameters
    ----------
    about
        What the prompt says of the subject.
    statement
        The item as a sentence.
    """
    return f"{form.instruction}\n\n{about}\n\nStatement: {statement}"

"""The tokens of an answer's options, as they go on where a prompt ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mimic.chat import encode_all
from mimic.respondents.tree import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def continued(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    encoded: Sequence[Tokens],
    *,
    texts: Sequence[str],
    where: str,
    mend: str,
) -> list[tuple[Tokens, ...]]:
    """The tokens with which each prompt goes on to each text.

    What a text is by itself may differ: tokenizers that mark the beginning of words put a mark
    before a text that stands alone. So a prompt is encoded with the text, and its own tokens are
    taken away.

    Parameters
    ----------
    prompts
        Rendered, up to where the answer begins.
    encoded
        The tokens of each prompt.
    texts
        What may follow, with a space before it if it needs one.
    where, mend
        What the prompts belong to, and what to do where a text doesn't fit, for messages.

    Returns
    -------
    list of tuple
        For each prompt the tokens of each text.

    Raises
    ------
    ValueError
        If a prompt's tokens are not the beginning of those of prompt and text together.
    """
    # A tokenizer cuts at its added tokens before all else, so prompts that end alike from the last
    # of them on go on alike.
    known: dict[str, tuple[Tokens, ...]] = {}
    found = []
    for prompt, own in zip(prompts, encoded, strict=True):
        tail = _tail(tokenizer, prompt, own)
        if tail not in known:
            wholes = encode_all(tokenizer, [prompt + text for text in texts])
            known[tail] = tuple(
                _rest(own, tuple(whole), text=text, where=where, mend=mend)
                for whole, text in zip(wholes, texts, strict=True)
            )
        found.append(known[tail])
    return found


def _rest(own: Tokens, whole: Tokens, *, text: str, where: str, mend: str) -> Tokens:
    if whole[: len(own)] != own or len(whole) == len(own):
        raise ValueError(
            f"{where}: in this model's tokens the option {text.strip()!r} merges with the end of "
            f"the prompt, so that it has no tokens of its own; {mend}"
        )
    return whole[len(own) :]


def _tail(tokenizer: PreTrainedTokenizerBase, prompt: str, tokens: Tokens) -> str:
    """A prompt from its last added token on; the whole prompt where that isn't found in it."""
    added = tokenizer.added_tokens_decoder
    last = next((added[token] for token in reversed(tokens) if token in added), None)
    if last is None or last.single_word:
        return prompt
    return prompt[max(prompt.rfind(last.content), 0) :]

"""Tokens that stand for a target: two for each trait, whose embeddings are learned.

A tokenizer and a model are given them the same way each time, so that an adapter that holds their
trained embeddings fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimic.traits import LETTERS, TRAITS, Profile

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def target_tokens(profile: Profile) -> str:
    """A profile in tokens: ``<|O+|>, <|C-|>, …``, with the commas of `Profile.words`."""
    return ", ".join(
        _token(letter, high) for letter, high in zip(LETTERS, profile.levels, strict=True)
    )


def add_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer the ten tokens; their ids follow on its own.

    Raises
    ------
    ValueError
        If it has one of them.
    """
    from transformers import AddedToken

    for name in _meanings():
        if name in tokenizer.get_vocab():
            raise ValueError(
                f"the model's tokenizer has a token {name} of its own, so that none of that name "
                "can be learned; take the conditioning prompt for this model"
            )
    tokenizer.add_tokens(
        [AddedToken(name, special=True, normalized=False) for name in _meanings()],
        special_tokens=True,
    )


def add_embeddings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Give a model embeddings of the ten tokens, each the mean of those of its words.

    So a prompt means about the same before training. The rows of an output layer that isn't the
    embeddings themselves are such means too.

    Parameters
    ----------
    tokenizer
        The model's, with the tokens.

    Returns
    -------
    list of int
        Their ids.
    """
    import torch

    embeddings = model.get_input_embeddings()
    if embeddings.weight.shape[0] < len(tokenizer):
        # What it would fill new rows with is replaced below.
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    ids = []
    with torch.no_grad():
        for name, words in _meanings().items():
            ids.append(int(tokenizer.convert_tokens_to_ids(name)))
            own = tokenizer(f" {words}", add_special_tokens=False)["input_ids"]
            for layer in layers:
                if layer is not None:
                    mean = layer.weight[own].float().mean(dim=0)
                    layer.weight[ids[-1]] = mean.to(layer.weight.dtype)
    return ids


def _token(letter: str, high: bool) -> str:
    return f"<|{letter}{'+' if high else '-'}|>"


def _meanings() -> dict[str, str]:
    """The words that each token stands for."""
    return {
        _token(letter, high): f"{'high' if high else 'low'} {trait}"
        for letter, trait in zip(LETTERS, TRAITS, strict=True)
        for high in (True, False)
    }

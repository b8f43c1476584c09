"""Is a model what its entry in ``config/models.yaml`` says?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimic.models.settings import ArchitectureSettings, ModelSettings

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def check_described(settings: ModelSettings, config: PretrainedConfig, *, where: str) -> None:
    """Compare an entry with a model's configuration.

    Parameters
    ----------
    settings
        The entry.
    config
        What the model's config.json holds, of a model with weights.
    where
        Where it is from, for messages.

    Raises
    ------
    ValueError
        If the architecture or the number format differs, or config.json doesn't tell.
    """
    assert settings.architecture is not None  # an entry of a model with weights has one
    differing = settings.architecture.differences(architecture_of(config, where=where))
    dtype = str(config.dtype).removeprefix("torch.")
    if dtype != settings.dtype:
        differing.append(f"dtype is {settings.dtype}, not {dtype}")
    if differing:
        raise ValueError(
            f"{where}: config/models.yaml describes another model than its config.json: "
            f"{'; '.join(differing)}; correct the entry, or name the model that was meant"
        )


def architecture_of(config: PretrainedConfig, *, where: str) -> ArchitectureSettings:
    """The shape that a model's configuration tells of.

    Raises
    ------
    ValueError
        If it doesn't tell all of it.
    """
    text = config.get_text_config()
    try:
        heads = text.num_attention_heads
        return ArchitectureSettings(
            layers=text.num_hidden_layers,
            hidden_size=text.hidden_size,
            intermediate_size=text.intermediate_size,
            heads=heads,
            key_value_heads=getattr(text, "num_key_value_heads", None) or heads,
            head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
            vocabulary=text.vocab_size,
            tied_embeddings=text.tie_word_embeddings,
        )
    except AttributeError as error:
        raise ValueError(
            f"{where}: its config.json tells no {error.name}; only decoders that do can be used"
        ) from None

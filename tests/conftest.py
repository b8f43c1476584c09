"""What tests share: the real tokenizer, a tiny model, a job maker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mimic.step import Job

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT


@pytest.fixture(scope="session")
def smollm2_tokenizer() -> Any:
    """The tokenizer of the embedded model, read from its GGUF."""
    from transformers import AutoTokenizer

    from mimic.models.fetch import gguf_path
    from mimic.models.settings import ModelSettings

    entry = yaml.safe_load((PROJECT / "config/models.yaml").read_text())["smollm2"]
    path = gguf_path(ModelSettings(**entry).source)
    return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)


@pytest.fixture(scope="session")
def metaspace_tokenizer() -> Any:
    """A tokenizer that marks the beginning of words, a lone text's too; no BOS, no template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    words = (PROJECT / "config/forms/authored.yaml").read_text(encoding="utf-8")
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    made.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    alphabet = [chr(code) for code in range(33, 127)] + ["\n"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<unk>", "</s>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    made.train_from_iterator([word.replace("(", "") for word in words.split()], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", unk_token="<unk>")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, smollm2_tokenizer: Any) -> Path:
    """The manifest of a tiny randomly initialised Llama with the real tokenizer."""
    from tiny_llama import save_tiny

    folder = tmp_path_factory.mktemp("tiny")
    save_tiny(folder, smollm2_tokenizer)
    (folder / "manifest.json").write_text("{}")
    return folder / "manifest.json"


@pytest.fixture(scope="session")
def tiny_adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of an adapter of the tiny model that changes it a lot."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(tiny_model.parent)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    tuned.save_pretrained(folder)
    (folder / "manifest.json").write_text("{}")
    return folder / "manifest.json"


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    """Makes a job that writes into a fresh folder."""

    def make(
        *, settings: dict[str, Any], inputs: dict[str, Path | list[Path]], out: str = "out"
    ) -> Job:
        folder = tmp_path / out
        folder.mkdir()
        listed = {
            name: paths if isinstance(paths, list) else [paths] for name, paths in inputs.items()
        }
        return Job(
            name=f"test {out}",
            settings=settings,
            inputs=listed,
            out=folder,
            unfinished=tmp_path / f"{out}-unfinished",
        )

    return make


@pytest.fixture
def essays_csv(tmp_path: Path) -> Path:
    """Twelve short essays with roles, as the essays stage writes them."""
    from mimic.traits import TRAITS, balanced_profiles

    lines = [",".join(["id", "text", *TRAITS, "profile", "words", "cluster", "role", "validation"])]
    for number, profile in enumerate(balanced_profiles(16)[:12]):
        levels = ",".join(str(int(high)) for high in profile.levels)
        text = f"Today number {number} I went out early and met the neighbour who told a story."
        lines.append(f"e{number},{text},{levels},{profile},15,{number},G,{int(number >= 8)}")
    path = tmp_path / "essays.csv"
    path.write_text("\n".join(lines) + "\n")
    return path

"""How models are run: threads, precision, attention. Settings of the study, never detected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mimic.settings import Settings
from mimic.target_tokens import add_embeddings, add_tokens

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel, PreTrainedTokenizerBase


class ComputeSettings(Settings):
    """Threads, precision and attention of every step that runs a model."""

    threads: int = Field(
        1,
        ge=1,
        le=256,
        description="Threads of each job that runs a model. On few cores, jobs of one thread side "
        "by side get more done than one job of several.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Number format of the weights. On a CPU bfloat16 moves option "
        "log-probabilities by up to 0.26.",
    )
    attention: Literal["eager", "sdpa", "flash_attention_2"] = Field(
        "sdpa", description="Implementation of attention."
    )
    quantisation: Literal["none", "nf4"] = Field(
        "none",
        description="Whether the weights of whatever answers and writes are kept in 4 bits (NF4, "
        "double-quantised) and computed with in `precision`.",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where models run.")
    devices: int = Field(
        1,
        ge=1,
        le=64,
        description="Devices that share what a job asks or has written, with a process for each: "
        "as many as a node that is allocated whole has GPUs. The answers are the same bytes.",
    )


def check_gpu(compute: ComputeSettings) -> None:
    """Check that there is a GPU where models are to run on one.

    Otherwise some libraries would take the CPU without a word, and what it made be kept as the
    GPU's.

    Raises
    ------
    ValueError
        If there is none.
    """
    import torch

    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "compute.device is cuda, but PyTorch finds no GPU on this machine "
            "(torch.cuda.is_available() is false); allowed are cpu and cuda: start the job where "
            "a GPU is, with a PyTorch that is built for it, or set compute.device to cpu"
        )


def prepare_torch(compute: ComputeSettings, *, seed: int) -> None:
    """Set threads, seed and deterministic algorithms, before any weight is made or loaded.

    Raises
    ------
    ValueError
        If models are to run on a GPU and there is none.
    """
    import torch
    import transformers

    check_gpu(compute)
    torch.set_num_threads(compute.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory that was never written; filling it costs time at every operation.
    torch.utils.deterministic.fill_uninitialized_memory = False
    transformers.set_seed(seed)
    transformers.utils.logging.disable_progress_bar()


# Some chat templates (Llama 3.2's) put today's date into every prompt: a training and its use, and
# the same question tomorrow, would be told different ones. A macro takes the place of the function
# that they ask; the date is the one that Llama 3.2's template has where there is no such function.
DATE = "26 Jul 2024"
_ASKS_DATE = "strftime_now"
FIXED_DATE = f"{{%- macro {_ASKS_DATE}(format) %}}{DATE}{{% endmacro -%}}"

# What a tokenizer without a chat template gets: the request, a blank line, the answer.
PLAIN_TEMPLATE = (
    "{% if bos_token %}{{ bos_token }}{% endif %}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\\n\\n' }}{% endif %}{% endfor %}"
)


def load_tokenizer(folder: Path, *, target_tokens: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder, padding on the left as generation needs it.

    A tokenizer without a chat template gets `PLAIN_TEMPLATE`; one whose template asks for today's
    date gets that of `FIXED_DATE`.

    Parameters
    ----------
    target_tokens
        Whether it gets the tokens of `mimic.target_tokens`.

    Raises
    ------
    ValueError
        If it names no end of a text but needs one, for want of a template or of padding; if it has
        a token of theirs.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if tokenizer.eos_token is None and not (tokenizer.chat_template and tokenizer.pad_token):
        lacking = "padding token" if tokenizer.chat_template else "chat template"
        raise ValueError(
            f"{folder}: the tokenizer has neither an end-of-text token nor a {lacking}, so no "
            "answer could end; name one as eos_token in its tokenizer_config.json"
        )
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    elif _ASKS_DATE in tokenizer.chat_template:
        tokenizer.chat_template = FIXED_DATE + tokenizer.chat_template
    if target_tokens:
        add_tokens(tokenizer)
    return tokenizer


def template_kind(
    tokenizer: PreTrainedTokenizerBase,
) -> Literal["own", "own, with a fixed date", "plain"]:
    """Whether prompts are rendered by the model's own chat template or by `PLAIN_TEMPLATE`."""
    template = str(tokenizer.chat_template)
    if template.startswith(FIXED_DATE):
        return "own, with a fixed date"
    return "plain" if template == PLAIN_TEMPLATE else "own"


def load_model(
    folder: Path, *, compute: ComputeSettings, adapter: Path | None = None
) -> PreTrainedModel:
    """A causal model, with its adapter if there is one.

    In float32 the adapter is merged into the weights. In 16 bits much of it would be rounded away
    (a weight has eight bits of its own in bfloat16, and a step of training is far smaller than
    that), and in 4 bits all of it: there it stays beside them, as it was in training (decision
    0027).

    An adapter with trained embeddings of the target tokens adds these to the model.

    Raises
    ------
    ValueError
        If the adapter was made for a model of another shape.
    """
    import torch
    from peft import PeftConfig, PeftModel
    from peft.tuners.trainable_tokens import TrainableTokensLayer
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, compute.precision)
    is_quantised = compute.quantisation == "nf4"
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation=compute.attention,
        local_files_only=True,
        use_safetensors=True,
        quantization_config=nf4(dtype) if is_quantised else None,
        device_map={"": compute.device} if is_quantised else None,
    )
    keep_format(model)
    if adapter is not None:
        config = model.config.get_text_config()
        shape = f"{type(model).__name__}, hidden size {getattr(config, 'hidden_size', 'unknown')}"
        if getattr(PeftConfig.from_pretrained(str(adapter)), "trainable_token_indices", None):
            add_embeddings(model, load_tokenizer(folder, target_tokens=True))
        try:
            adapted = PeftModel.from_pretrained(model, str(adapter))
            is_exact = dtype == torch.float32 and not is_quantised
            model = adapted.merge_and_unload() if is_exact else adapted.get_base_model()
            for layer in model.modules():
                # Their rows are whole, not what is added; each pass would put them in anew.
                if isinstance(layer, TrainableTokensLayer):
                    layer.merge()
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"{adapter}: the adapter doesn't fit the model in {folder} ({shape}): {error}"
            ) from None
    return (model if is_quantised else model.to(compute.device)).eval()


def nf4(dtype: torch.dtype) -> BitsAndBytesConfig:
    """Weights in double-quantised NF4 that are computed with in another format (QLoRA)."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        # The same bits in another wrapping: sharding wants one type for all weights.
        bnb_4bit_quant_storage=dtype,
    )


def keep_format(model: PreTrainedModel) -> None:
    """Have 4-bit layers compute in the format that was asked for, whatever the CPU can do.

    On a CPU with AVX512-BF16 bitsandbytes would repack their weights, which fails in narrow layers,
    and compute in bfloat16. In other models there is nothing to do.
    """
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False

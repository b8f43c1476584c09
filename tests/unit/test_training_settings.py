"""Settings of a training that contradict each other are named."""

import pytest

from mimic.compute import ComputeSettings
from mimic.finetune.common import check_device, trained_on
from mimic.finetune.processes import own_accumulation
from mimic.finetune.settings import DpoSettings, OrpoSettings, SftSettings
from mimic.settings import parse_settings


def test_epochs_stand_in_for_the_default_number_of_steps():
    settings = parse_settings(SftSettings, {"epochs": 3}, source="mine.yaml")
    assert (settings.steps, settings.epochs) == (None, 3)
    assert SftSettings.model_validate(settings.model_dump()) == settings
    assert SftSettings().steps == 12


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (SftSettings, {"steps": 5, "epochs": 3}, "steps is 5 and epochs is 3; leave one of them"),
        (DpoSettings, {"steps": None}, "steps and epochs are both null; set one of them"),
        (OrpoSettings, {"epochs": 0.5}, "epochs = 0.5: Input should be greater than or equal to 1"),
        (
            SftSettings,
            {"attention": "flash_attention_2"},
            "attention flash_attention_2 computes in 16 bits alone; set precision or autocast",
        ),
        (SftSettings, {"packing": True, "length_sorted": True}, "set length_sorted to false"),
        (
            DpoSettings,
            {
                "precompute_reference": True,
                "accumulation": 2,
                "launch": {"config": "fsdp2_lora", "devices": 2},
            },
            "launch.config fsdp2_lora, but TRL computes it before the devices have their parts of "
            "the model; set precompute_reference to false",
        ),
        (DpoSettings, {"quantisation": "int8"}, "Input should be 'none' or 'nf4'"),
    ],
)
def test_a_contradiction_is_named(model, values, message):
    with pytest.raises(ValueError) as caught:
        parse_settings(model, values, source="mine.yaml")
    assert message in str(caught.value)


def test_what_needs_a_gpu_is_refused_without_one(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    cpu = ComputeSettings(device="cpu")
    flash = SftSettings(attention="flash_attention_2", precision="bfloat16")
    with pytest.raises(ValueError, match=r"sft.attention flash_attention_2 needs a GPU; set it to"):
        check_device(flash, cpu, method="sft")
    with pytest.raises(ValueError, match=r"sft.autocast float16 needs a GPU; set it to bfloat16"):
        check_device(SftSettings(autocast="float16"), cpu, method="sft")
    with pytest.raises(ValueError, match="needs the package flash-attn, which isn't installed"):
        check_device(flash, ComputeSettings(device="cuda"), method="sft")


def test_pairs_that_the_steps_do_not_reach_are_left_out():
    assert trained_on(SftSettings()) is None
    assert trained_on(DpoSettings(steps=3, batch_size=2, accumulation=2, pairs=None)) == 12
    assert trained_on(DpoSettings(steps=3, batch_size=2, accumulation=2, pairs=5)) == 5
    assert trained_on(DpoSettings(epochs=2, pairs=None)) is None
    assert trained_on(DpoSettings(epochs=2, pairs=5)) == 5


def test_an_accumulation_that_cannot_be_shared_is_refused(monkeypatch):
    class Two:
        num_processes = 2

    monkeypatch.setattr("mimic.finetune.processes.PartialState", Two)
    assert own_accumulation(SftSettings(accumulation=4), method="sft") == 2
    with pytest.raises(ValueError, match=r"sft.accumulation is 3, which 2 processes can't share"):
        own_accumulation(SftSettings(accumulation=3), method="sft")

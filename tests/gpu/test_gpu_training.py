"""Speed and memory of trainings on a GPU; `pytest tests/gpu` prints them as a table."""

from itertools import product

import pytest
import torch
import transformers
import yaml
from gpu_figures import (
    MOST_OFF,
    Case,
    flops_a_token,
    line,
    planned_bytes,
    tokens_a_second,
    utilisation,
)
from gpu_training import bench, measure

from mimic.models.settings import ModelSettings
from mimic.plan.study_work import architecture_of
from mimic.plan.workload import Adapter

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a GPU: torch.cuda.is_available() is false"
)
flash = pytest.mark.skipif(
    not transformers.utils.is_flash_attn_2_available(),
    reason="flash_attention_2 needs the package flash-attn, which isn't installed",
)
ADAPTER = Adapter(rank=bench.LORA["rank"], dropout=bench.LORA["dropout"])


def cases():
    """Methods, weights and lengths with either attention; some also packed or compiled."""
    kinds = product(("sft", "dpo", "orpo"), ("none", "nf4"), (1024, 2048))
    for method, quantisation, length in kinds:
        variants = [{}, {"attention": "flash_attention_2"}]
        if method == "sft":
            variants += [{**variant, "essays_a_row": 4} for variant in variants]
        if quantisation == "none":
            variants += [{"compiled": True}]
        for variant in variants:
            case = Case(method=method, quantisation=quantisation, length=length, **variant)
            marks = [flash] if case.attention == "flash_attention_2" else []
            yield pytest.param(case, id=str(case), marks=marks)


@pytest.fixture(scope="module")
def smollm2(project, tmp_path_factory):
    """The embedded model, as the stage models makes it, and its shape."""
    from mimic.models import fetch
    from mimic.step import Job

    entry = yaml.safe_load((project / "config/models.yaml").read_text())["smollm2"]
    folder = tmp_path_factory.mktemp("smollm2")
    fetch.main(Job(name="models smollm2", settings={"model": entry}, inputs={}, out=folder))
    (folder / "manifest.json").write_text("{}")
    return folder, architecture_of(ModelSettings(**entry))


@pytest.mark.parametrize("case", cases())
def test_memory_is_what_was_planned(case, smollm2, table, tmp_path):
    model, architecture = smollm2
    measured = measure(case, model, tmp_path, device="cuda")
    speed = tokens_a_second(measured, case)
    flops = flops_a_token(architecture, case, adapter=ADAPTER.parameters(architecture))
    used = utilisation(speed, flops, gpu=torch.cuda.get_device_name())
    planned = planned_bytes(architecture, case, ADAPTER)
    table.append(line(case, speed=speed, used=used, peak=measured.peak_bytes, planned=planned))
    off = planned / measured.peak_bytes - 1
    assert off >= -MOST_OFF
    # The plan knows nothing of compiled code, which may keep less.
    assert case.compiled or off <= MOST_OFF

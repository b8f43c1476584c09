"""Speed and memory of trainings on a GPU; `pytest tests/gpu` prints them as a table."""

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
    for method in ("sft", "dpo", "orpo"):
        for quantisation in ("none", "nf4"):
            for length in (1024, 2048):
                for attention in ("sdpa", "flash_attention_2"):
                    for essays in (1, 4) if method == "sft" else (1,):
                        case = Case(
                            method=method,
                            quantisation=quantisation,
                            length=length,
                            attention=attention,
                            essays_a_row=essays,
                        )
                        marks = [flash] if attention == "flash_attention_2" else []
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
    assert abs(planned / measured.peak_bytes - 1) <= MOST_OFF

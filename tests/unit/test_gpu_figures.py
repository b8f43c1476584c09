"""The figures that the GPU tests print, on numbers made by hand."""

import doctest

import gpu_figures
import pytest
from gpu_figures import Case, Measured, flops_a_token, tokens_a_second, utilisation
from plan_models import LLAMA_3_8B

from mimic.plan.workload import Adapter

SFT = Case(method="sft", quantisation="none", length=2048)


def test_the_documented_example():
    assert doctest.testmod(gpu_figures).failed == 0


def test_operations_are_those_of_the_formula():
    # 7.505·10⁹ parameters that tokens are multiplied with: 8.030·10⁹ without the embedding's.
    multiplied = 8.030261248e9 - 128256 * 4096 - 65 * 4096
    assert LLAMA_3_8B.multiplied_parameters == multiplied
    # PaLM's for a model of which all is trained: 6 N + 12 L H Q T.
    attention = 12 * 32 * 32 * 128 * 2048
    found = flops_a_token(LLAMA_3_8B, SFT, adapter=0)
    assert found == 4 * multiplied + attention
    # An adapter's weights have gradients of their own.
    assert flops_a_token(LLAMA_3_8B, SFT, adapter=10**6) == found + 6e6
    # DPO: one more pass forwards; essays that share a row don't see each other.
    dpo = Case(method="dpo", quantisation="none", length=2048)
    assert flops_a_token(LLAMA_3_8B, dpo, adapter=0) == 6 * multiplied + attention * 4 / 3
    packed = Case(method="sft", quantisation="none", length=2048, essays_a_row=4)
    assert flops_a_token(LLAMA_3_8B, packed, adapter=0) == 4 * multiplied + attention / 4


def test_speed_leaves_out_the_first_steps():
    # Ten steps of 2 × 2,048 tokens; three slow ones, then one every half second.
    ends = [20.0, 25.0, 30.0, *(30.0 + 0.5 * number for number in range(1, 8))]
    measured = Measured(ends=ends, peak_bytes=0)
    assert tokens_a_second(measured, SFT) == pytest.approx(2 * 2048 / 0.5)
    pairs = Case(method="orpo", quantisation="none", length=2048)
    assert tokens_a_second(measured, pairs) == pytest.approx(2 * 2 * 2048 / 0.5)


def test_utilisation_is_of_the_peak_of_the_gpu_that_ran():
    assert utilisation(1000, 1.56e11, gpu="NVIDIA A100-SXM4-40GB") == pytest.approx(0.5)
    assert utilisation(1000, 9.89e11, gpu="NVIDIA H200") == pytest.approx(1.0)
    assert utilisation(1000, 1e11, gpu="NVIDIA GeForce RTX 2060") is None


def test_planned_memory_is_that_of_tensors():
    adapter = Adapter(rank=16)

    def planned(quantisation):
        short = Case(method="sft", quantisation=quantisation, length=64, batch_size=1)
        return gpu_figures.planned_bytes(LLAMA_3_8B, short, adapter)

    # The weights, and three float32 numbers beside each of the adapter.
    least = LLAMA_3_8B.parameters * 2 + adapter.parameters(LLAMA_3_8B) * 16
    assert least < planned("none") < 1.1 * least
    # Four bits for sixteen, but for embeddings, output layer, and what four bits add.
    assert 0.3 * planned("none") < planned("nf4") < 0.5 * planned("none")


def test_a_line_stands_below_its_header():
    case = Case(method="dpo", quantisation="nf4", length=1024, attention="flash_attention_2")
    line = gpu_figures.line(case, speed=12345.6, used=0.314, peak=2e9, planned=2.2e9)
    assert len(line) == len(gpu_figures.HEADER)
    assert line.split() == [
        *("dpo", "nf4", "flash_attention_2", "single", "plain", "1024"),
        *("12346", "31.4%", "2.00", "2.20", "+10.0%"),
    ]
    unknown = gpu_figures.line(case, speed=1.0, used=None, peak=2e9, planned=2e9)
    assert len(unknown) == len(line)

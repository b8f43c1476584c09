"""The order in which examples are trained on: whole steps, drawn from seed and epoch alone."""

from collections import Counter

import pytest
import torch

from mimic.finetune.order import StepSampler
from mimic.finetune.watch import Evaluate


def drawn(epoch: int = 0, **options) -> list[int]:
    sampler = StepSampler(**({"count": 10, "step_size": 4, "seed": 1} | options))
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert len(order) == len(sampler)
    return order


def test_all_examples_once_and_some_again_for_the_last_step() -> None:
    order = drawn()
    assert len(order) == 12
    assert set(order) == set(range(10)) == set(order[:10])
    assert max(Counter(order).values()) == 2
    assert sorted(drawn(count=8)) == list(range(8))


def test_fewer_examples_than_a_step_has_are_seen_as_often_as_one_another() -> None:
    seen = Counter(drawn(count=3, step_size=8))
    assert sorted(seen.values()) == [2, 3, 3]


def test_each_epoch_and_seed_has_its_own_and_no_other_state_counts() -> None:
    first = drawn()
    torch.manual_seed(99)
    assert drawn() == first
    assert drawn(epoch=1) != first
    assert drawn(seed=2) != first


@pytest.mark.parametrize("step_size", [4, 6])
def test_sorted_by_length_a_step_has_similar_ones(step_size: int) -> None:
    lengths = [(37 * number) % 101 for number in range(95)]
    order = drawn(count=95, step_size=step_size, lengths=lengths)
    assert set(order) == set(range(95))

    def spread(indices: list[int]) -> float:
        steps = [indices[i : i + step_size] for i in range(0, 90, step_size)]
        ranges = [max(lengths[i] for i in s) - min(lengths[i] for i in s) for s in steps]
        return sum(ranges) / len(ranges)

    assert spread(order) < 0.6 * spread(drawn(count=95, step_size=step_size))


def test_evaluations_are_evenly_spaced_and_leave_out_both_ends() -> None:
    assert sorted(Evaluate(dict, times=3).steps(12)) == [3, 6, 9]
    assert sorted(Evaluate(dict, times=0).steps(12)) == []
    # More than there are steps: behind each.
    assert sorted(Evaluate(dict, times=9).steps(3)) == [1, 2]

"""Jobs on whole nodes: idle hours by hand, and packing that leaves the fewest."""

import itertools
import random

import pytest

from mimic.plan.devices import MELUXINA
from mimic.plan.schedule import PlannedJob, as_set, packed, usage


def job(name, hours, *, devices=1, stage="finetune", pack=None):
    return PlannedJob(name=name, stage=stage, devices=devices, hours=hours, pack=pack)


def test_a_job_of_one_gpu_leaves_three_idle():
    used = usage(as_set([job("a", 2.0)], MELUXINA), MELUXINA)
    assert (used.node_hours, used.gpu_hours, used.idle_gpu_hours) == (2.0, 8.0, 6.0)
    assert used.idle_share == 0.75


def test_a_pack_is_held_until_its_longest_ends():
    jobs = [job(name, hours, pack="p") for name, hours in zip("abcd", (4, 4, 3, 2), strict=True)]
    used = usage(as_set(jobs, MELUXINA), MELUXINA)
    assert (used.node_hours, used.idle_gpu_hours) == (4.0, 3.0)


def test_eight_gpus_are_two_nodes():
    used = usage(as_set([job("a", 1.0, devices=8)], MELUXINA), MELUXINA)
    assert (used.node_hours, used.idle_gpu_hours) == (2.0, 0.0)


def test_jobs_of_other_stages_and_widths_do_not_share_a_node():
    jobs = [job("a", 1.0), job("b", 1.0, stage="writing"), job("c", 1.0, devices=2)]
    assert len(packed(jobs, MELUXINA)) == 3


def test_two_jobs_of_two_gpus_share_a_node():
    jobs = [job("a", 1.0, devices=2), job("b", 1.0, devices=2)]
    used = usage(packed(jobs, MELUXINA), MELUXINA)
    assert (used.node_hours, used.idle_gpu_hours) == (1.0, 0.0)


def test_packing_leaves_the_fewest_idle_hours_of_all_groupings():
    draw = random.Random(1)
    jobs = [job(str(n), draw.uniform(1, 9)) for n in range(8)]
    best = min(
        max(j.hours for j in four) + max(j.hours for j in set(jobs) - set(four))
        for four in itertools.combinations(jobs, 4)
    )
    assert usage(packed(jobs, MELUXINA), MELUXINA).node_hours == pytest.approx(best)


def test_nothing_to_run_leaves_nothing_idle():
    assert usage([], MELUXINA).idle_share == 0.0

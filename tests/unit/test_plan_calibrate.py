"""Factors from records: known ratios come back, and records that tell nothing are left out."""

import pytest

from mimic.plan.calibrate import Observation, bytes_of, device_of, fit, seconds_of


def seen(measured, planned, *, method="sft", quantity="seconds"):
    return Observation(
        device="cpu", method=method, quantity=quantity, measured=measured, planned=planned
    )


def test_the_factor_is_the_geometric_mean_of_the_ratios():
    found = fit([seen(20, 10), seen(80, 10), seen(5, 10, method="dpo")])
    sft = found["cpu", "sft", "seconds"]
    assert sft.value == pytest.approx(4.0)
    # Ratios of 2 and 8: each a factor of 2 from 4, of which the sample's deviation is √2 as many.
    assert sft.spread == pytest.approx(2 ** (2**0.5))
    assert found["cpu", "dpo", "seconds"].value == pytest.approx(0.5)
    assert found["cpu", "dpo", "seconds"].spread is None


def test_runs_that_took_what_was_planned_change_nothing():
    found = fit(seen(planned, planned) for planned in (3, 30, 300))
    assert found["cpu", "sft", "seconds"].value == pytest.approx(1.0)
    assert found["cpu", "sft", "seconds"].runs == 3


def circumstances(**changes):
    return {
        "started": "2026-01-01T10:00:00.000000Z",
        "ended": "2026-01-01T10:02:30.000000Z",
        "attempts": 1,
        "device": {"cpu": "one", "gpus": []},
        "peak_memory_mb": 1000,
    } | changes


def test_times_are_those_of_a_single_attempt():
    assert seconds_of(circumstances()) == 150
    # Of several the record has the last one's times alone.
    assert seconds_of(circumstances(attempts=2)) is None


GPU = {"name": "NVIDIA A100-SXM4-40GB", "memory": "40960 MiB", "driver": "1"}


@pytest.mark.parametrize(
    ("device", "gpus", "kind"),
    [
        ("cpu", [GPU], "cpu"),
        ("cuda", [GPU, GPU], "a100-40"),
        ("cuda", [GPU | {"memory": "81920 MiB"}], None),
        ("cuda", [{"name": "NVIDIA H200", "memory": "143771 MiB", "driver": "1"}], "h200"),
        ("cuda", [], None),
    ],
)
def test_a_record_s_device_is_the_one_that_it_ran_on(device, gpus, kind):
    settings = {"compute": {"device": device}}
    found = device_of(settings, circumstances(device={"cpu": "one", "gpus": gpus}))
    assert found == kind


def test_memory_is_the_process_s_or_the_fullest_gpu_s():
    assert bytes_of("cpu", circumstances()) == 1000 * 2**20
    assert bytes_of("h200", circumstances(peak_gpu_memory_mb=[10, 20])) == 20 * 2**20
    assert bytes_of("h200", circumstances()) is None

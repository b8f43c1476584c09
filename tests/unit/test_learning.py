import numpy as np
import pytest

from mimic.finetune.learning import loss_check, margin_check


def test_a_loss_that_falls_by_more_than_its_standard_error_passes():
    before = np.array([3.0, 3.2, 3.4])
    check = loss_check(before, before - np.array([0.1, 0.2, 0.3]))
    assert check.passed
    assert check.change == pytest.approx(-0.2)
    assert check.standard_error == pytest.approx(0.1 / np.sqrt(3))


def test_a_loss_that_falls_by_less_or_rises_fails():
    before = np.array([3.0, 3.2, 3.4])
    assert not loss_check(before, before - np.array([0.3, -0.2, 0.05])).passed
    assert not loss_check(before, before + 0.5).passed
    assert not loss_check(before[:1], before[:1] - 1).passed


def test_a_training_margin_must_rise_clearly_above_zero():
    zero = np.zeros(4)
    assert margin_check(zero, np.array([0.5, 0.4, 0.6, 0.5]), training=True).passed
    assert not margin_check(zero, np.array([0.5, -0.4, 0.6, -0.5]), training=True).passed
    # Rises, but not above 0.
    assert not margin_check(zero - 2, zero - 1, training=True).passed


def test_validation_margins_are_reported_only():
    check = margin_check(np.zeros(3), np.ones(3), training=False)
    assert check.passed is None
    assert not check.required

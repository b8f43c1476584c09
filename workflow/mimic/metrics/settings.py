"""Settings of the metrics stage."""

from __future__ import annotations

from pydantic import Field

from mimic.settings import Settings


class MetricsSettings(Settings):
    """How figures and their uncertainty are computed."""

    bootstrap_draws: int = Field(
        default=2000,
        ge=100,
        description="Number of bootstrap draws behind each percentile interval.",
    )
    permutations: int = Field(
        default=9999,
        ge=99,
        description="Number of permutations of the targets behind each p-value.",
    )
    cut: float = Field(
        default=3.0,
        gt=1,
        lt=5,
        description="A trait is decided high where its mean item score reaches it.",
    )
    seed: int = Field(default=1, ge=0, description="Seed of bootstrap draws and permutations.")

"""Settings of the metrics stage."""

from __future__ import annotations

from pydantic import Field

from mimic.metrics.resampling import Resampling
from mimic.settings import Settings


class MetricsSettings(Settings):
    """How figures and their uncertainty are computed."""

    bootstrap_draws: int = Field(
        default=2000,
        ge=100,
        description="Number of bootstrap draws behind each interval.",
    )
    permutations: int = Field(
        default=9999,
        ge=99,
        description="Number of permutations of the targets behind each p-value.",
    )
    seed: int = Field(default=1, ge=0, description="Seed of bootstrap draws and permutations.")

    def resampling(self) -> Resampling:
        """The same for the functions that compute figures."""
        return Resampling(self.bootstrap_draws, self.permutations, self.seed)

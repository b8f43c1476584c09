"""Settings of the report."""

from __future__ import annotations

from pydantic import Field

from mimic.settings import Settings


class ReportSettings(Settings):
    """What the report says that the metrics don't hold."""

    title: str = Field(
        "Stable and accurate? Personality induction measured",
        min_length=1,
        description="Title of the page.",
    )
    authors: tuple[str, ...] = Field((), description="Names that stand under the title.")

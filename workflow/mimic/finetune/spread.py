"""Settings of trainings that may be spread over several nodes; recipes have these.

Apart from `mimic.finetune.settings`, which every training imports: where its processes run is the
launcher's business, and what a training's results depend on stays what it was.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from mimic.finetune.settings import (
    DpoSettings,
    LaunchSettings,
    OrpoSettings,
    SftSettings,
    TrainingSettings,
)


class SpreadSettings(LaunchSettings):
    """The devices that a training runs on, the nodes they belong to, and how they share its model.

    Attributes
    ----------
    nodes
        Left out of plain values where it is 1, so that specs are those of a launch on one machine.
    """

    nodes: int = Field(
        1,
        ge=1,
        le=16,
        description="Nodes of a Slurm machine that the devices belong to, each to as many; "
        "docs/nodes.md says what that takes.",
    )

    @model_validator(mode="after")
    def _devices_belong_to_nodes(self) -> SpreadSettings:
        if self.devices % self.nodes:
            raise ValueError(
                f"devices is {self.devices} and nodes is {self.nodes}, but devices are those of "
                f"all nodes together, and each has as many; set devices to a multiple of "
                f"{self.nodes}, or nodes to 1"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_one_node(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = plain(self)
        if values.get("nodes") == 1:
            del values["nodes"]
        return values


def nodes_of(training: TrainingSettings) -> int:
    """Nodes that a training is spread over."""
    return training.launch.nodes if isinstance(training.launch, SpreadSettings) else 1


LAUNCH = SpreadSettings()
MEANING = "Devices, and how they share the model."


class SpreadSft(SftSettings):
    """Supervised fine-tuning."""

    launch: SpreadSettings = Field(LAUNCH, description=MEANING)


class SpreadDpo(DpoSettings):
    """Direct preference optimisation."""

    launch: SpreadSettings = Field(LAUNCH, description=MEANING)


class SpreadOrpo(OrpoSettings):
    """Odds ratio preference optimisation."""

    launch: SpreadSettings = Field(LAUNCH, description=MEANING)

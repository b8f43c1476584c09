"""A site: a Slurm machine's partitions, account and limits, from the file that a profile names."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, PositiveInt, field_validator

from mimic.settings import Settings, parse_settings

DEFAULT_SITE = Path("profiles/meluxina/site.yaml")

Place = Literal["gpu", "cpu", "here"]


class Nodes(Settings):
    """One kind of a site's nodes."""

    partition: str = Field(min_length=1, description="as `sinfo` calls it")
    gpus: int = Field(0, ge=0, description="of a node")
    mem_mb: PositiveInt = Field(description="what a job may ask for of a node, in 10⁶ bytes")


class Site(Settings):
    """A Slurm machine.

    Attributes
    ----------
    rules
        Where the jobs of each rule run: on nodes with GPUs, on nodes without, or here, in the
        submitting process's own machine. Rules that aren't named run on nodes without.
    """

    account_variable: str | None = Field(
        None, description="the environment variable that names the account; no account if null"
    )
    qos: str | None = Field(None, description="the QOS of all jobs; the cluster's own if null")
    max_minutes: PositiveInt = Field(description="the longest walltime that the QOS allows")
    whole_nodes: bool = Field(
        description="whether a job has its node to itself, and so asks for all of its GPUs"
    )
    scratch: str | None = Field(
        None,
        min_length=1,
        description="a folder on each node's own disk, such as $LOCALSCRATCH, for temporary files "
        "of steps; where a job has none there, as if null",
    )
    cpu: Nodes
    gpu: Nodes
    offline: bool = Field(
        False, description="whether jobs take models and essays of the hub from its cache alone"
    )
    rules: dict[str, Place]

    @field_validator("gpu")
    @classmethod
    def _has_gpus(cls, nodes: Nodes) -> Nodes:
        if nodes.gpus == 0:
            raise ValueError("say how many GPUs such a node has: gpus: 4")
        return nodes

    def account_and_qos(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Who pays for a job and by which limits, as the Slurm plugin calls them."""
        account = environment.get(self.account_variable, "") if self.account_variable else ""
        asked = {"slurm_account": account, "qos": self.qos}
        return {name: value for name, value in asked.items() if value}

    def environment(self) -> dict[str, str]:
        """What is set for jobs: sbatch hands its environment on to them."""
        # Where there is no network a job would wait long, and say something else.
        return {"HF_HUB_OFFLINE": "1"} if self.offline else {}

    def check_rules(self, known: Collection[str], *, source: str) -> None:
        """Check that the file names rules of the workflow.

        Raises
        ------
        ValueError
            Naming the rule that doesn't exist, and the nearest one.
        """
        for rule in self.rules:
            if rule not in known:
                near = difflib.get_close_matches(rule, known, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(
                    f"{source}: rules.{rule}: no such rule; {hint}there are "
                    f"{', '.join(sorted(known))}"
                )


def read_site(path: Path) -> Site:
    """Read the file of a site.

    Raises
    ------
    ValueError
        If it can't be read, naming the file, or holds something else than a site.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"{path}: can't be read ({error.strerror}); it is the site that the profile names by "
            "`config: [site=…]`"
        ) from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from None
    return parse_settings(Site, values, source=str(path))

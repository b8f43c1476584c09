"""What a study takes from the Hugging Face hub: is it in the cache, and getting it there.

Jobs find exactly this with HF_HUB_OFFLINE=1: the stages `models` and `essays` fetch by the same
functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mimic.essays.hub import data_set_folder
from mimic.essays.settings import HubSource
from mimic.models.fetch import check_published
from mimic.models.hub import snapshot_folder
from mimic.models.settings import HubSettings, ModelSettings
from mimic.plan.workload import BYTES
from mimic.study import Study


@dataclass(frozen=True, kw_only=True)
class HubContent:
    """A model or a data set of the hub at one revision.

    Attributes
    ----------
    id
        Owner and name.
    entry
        The entry of a model in ``config/models.yaml``; None for a data set of essays.
    """

    id: str
    revision: str
    entry: ModelSettings | None = None

    def fetch(self) -> Path:
        """Its folder in the hub's cache; what isn't there is fetched.

        Raises
        ------
        ValueError
            In words, what keeps one from getting it; if a model isn't what its entry says.
        """
        if self.entry is None:
            return data_set_folder(self.id, revision=self.revision)
        source = HubSettings(id=self.id, revision=self.revision)
        check_published(source, self.entry)
        return snapshot_folder(source)

    def is_cached(self) -> bool:
        """Whether the cache holds all of it."""
        try:
            if self.entry is None:
                data_set_folder(self.id, revision=self.revision, local_only=True)
            else:
                source = HubSettings(id=self.id, revision=self.revision)
                snapshot_folder(source, local_only=True)
        except ValueError:
            return False
        return True

    @property
    def bytes(self) -> int:
        """What a model's weights take; 0 for a data set, which is small beside them."""
        return 0 if self.entry is None else weight_bytes(self.entry)


def weight_bytes(model: ModelSettings) -> int:
    """What a model's weights take on a disk; 0 for a model of an API."""
    if model.parameters is None or model.dtype is None:
        return 0
    return round(model.parameters * 1e6) * BYTES[model.dtype]


def hub_contents(study: Study) -> list[HubContent]:
    """The models and the corpus that a study takes from the hub."""
    found = [
        HubContent(id=model.source.id, revision=model.source.revision, entry=model)
        for model in study.models.values()
        if isinstance(model.source, HubSettings)
    ]
    corpus = study.settings.essays.source
    if isinstance(corpus, HubSource) and not Path(corpus.name).is_dir():
        found.append(HubContent(id=corpus.name, revision=corpus.revision))
    return found

"""A study on a tiny model in a copy of the project: what ran, what was a hit, and which bytes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REVISION = "0" * 40
SETTINGS = """\
root: results/small
models: [tiny]
essays:
  source: {kind: csv, path: corpus.csv, composed: true}
finetune:
  methods: [sft, dpo]
  sft: {steps: 2, warmup_steps: 0, batch_size: 1, max_length: 96, learning_rate: 0.02}
  dpo: {steps: 2, warmup_steps: 0, max_length: 96, pairs: 4, checked_pairs: 2, learning_rate: 0.02}
writing:
  situations: {evening: Tell what happened today.}
  samples: 1
  max_new_tokens: 8
  temperature: 1.0
forms:
  formats: [digits]
questionnaire:
  instrument: mini_ipip_10
  contexts: [none]
judge:
  features: [tfidf]
  c_values: [1.0]
gates:
  simulations: 50
metrics:
  bootstrap_draws: 100
  permutations: 99
"""
MODEL = f"""
tiny:
  title: A tiny random Llama
  parameters: 2
  license: Apache-2.0
  aligned: base
  source: {{kind: hub, id: mimic/tiny, revision: '{REVISION}'}}
  dtype: float32
  architecture:
    layers: 2
    hidden_size: 32
    intermediate_size: 64
    heads: 4
    key_value_heads: 2
    head_dim: 8
    vocabulary: 49152
    tied_embeddings: true
"""
CONFIG = "config/small.yaml"
ROOT = "results/small"
# What no record may hold.
SECRET = "hf_no-real-token-of-anybody"


@dataclass(frozen=True)
class Outcome:
    """What an invocation of Snakemake did."""

    worked: frozenset[str]
    hits: frozenset[str]
    output: str

    @property
    def nothing(self) -> bool:
        """Whether no job was started at all."""
        return "Nothing to be done" in self.output


class SmallStudy:
    """A copy of the project with a study of its own.

    Parameters
    ----------
    folder
        Where it lies.
    hub
        The folder of the hub's files, which holds the tiny model.
    """

    def __init__(self, folder: Path, hub: Path) -> None:
        self.folder, self.hub = folder, hub

    @classmethod
    def make(cls, project: Path, folder: Path, *, model: Path, hub: Path) -> SmallStudy:
        """Copy the project and put the tiny model where the hub's files lie."""
        for name in ("workflow", "config", "profiles"):
            shutil.copytree(
                project / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in ("Snakefile", "pyproject.toml"):
            shutil.copy2(project / name, folder / name)
        shutil.copy(folder / "workflow/resources/composed_essays.csv", folder / "corpus.csv")
        (folder / CONFIG).write_text(SETTINGS)
        with (folder / "config/models.yaml").open("a") as models:
            models.write(MODEL)
        snapshot = hub / "hub/models--mimic--tiny/snapshots" / REVISION
        if not snapshot.is_dir():
            ignored = shutil.ignore_patterns("manifest.json")
            shutil.copytree(model, snapshot, ignore=ignored)
        return cls(folder, hub)

    def copy(self, folder: Path) -> SmallStudy:
        """A copy of the sources, without results and store."""
        ignored = shutil.ignore_patterns("results", "store", ".snakemake", "__pycache__")
        shutil.copytree(self.folder, folder, ignore=ignored)
        return SmallStudy(folder, self.hub)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands."""
        path = os.pathsep.join([str(self.folder / "shadow"), str(self.folder / "workflow")])
        return {
            **{name: value for name, value in os.environ.items() if name != "MIMIC_SUBMISSION"},
            "MIMIC_STORE": str(self.folder / "store"),
            "PYTHONPATH": path,
            "HF_HOME": str(self.hub),
            "HF_HUB_OFFLINE": "1",
            "HF_TOKEN": SECRET,
        }

    def command(self, *arguments: str) -> list[str]:
        """The command line of an invocation."""
        words = ["--profile", "profiles/local", "--configfile", CONFIG]
        return [sys.executable, "-m", "snakemake", *arguments, *words]

    def run(self, *arguments: str, fails: bool = False) -> Outcome:
        """Invoke Snakemake and look what it did."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=3600,
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, output[-6000:]
        return Outcome(
            # Anywhere in a line: a long message of Snakemake's may be cut by a job's.
            frozenset(re.findall(r"\[([^][]+)\] done in \d+ s", output)),
            frozenset(re.findall(r"\[([^][]+)\] was made before", output)),
            output,
        )

    def mimic(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call the command `mimic`."""
        return subprocess.run(
            [sys.executable, "-m", "mimic.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=900,
        )

    def read(self, name: str) -> str:
        """A file's text."""
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str, *, old_time: bool = False) -> None:
        """Write a file, with the modification time that it had if asked for."""
        path = self.folder / name
        status = path.stat() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if old_time and status is not None:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def edit(self, name: str, former: str, new: str, *, old_time: bool = False) -> None:
        """Replace words that stand in a file once."""
        text = self.read(name)
        assert text.count(former) == 1, (name, former, text.count(former))
        self.write(name, text.replace(former, new), old_time=old_time)

    def sources(self) -> dict[str, str]:
        """The text of each file that a study's results follow from."""
        named = [self.folder / "corpus.csv"]
        below = [p for name in ("workflow", "config") for p in (self.folder / name).rglob("*")]
        return {
            path.relative_to(self.folder).as_posix(): path.read_text(encoding="utf-8")
            for path in [*named, *below]
            if path.suffix in (".py", ".yaml", ".csv", ".smk", ".j2")
        }

    def results(self) -> dict[str, str]:
        """sha256 of each result but logs, benchmarks, notes and what is made by commands."""
        root = self.folder / ROOT
        left_out = ("logs", "benchmarks", ".identities", ".submissions", "audit.txt")
        return {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.relative_to(root).parts[0] not in left_out
        }

    def answers_kept(self) -> int:
        """Answers by likelihood in the answer store."""
        import pyarrow.parquet

        paths = (self.folder / "store/answers").rglob("*.parquet")
        return sum(pyarrow.parquet.read_metadata(path).num_rows for path in paths)


def set_back(study: SmallStudy, kept: Path) -> SmallStudy:
    """The study as a copy of its folder holds it, at another time than its results say."""
    shutil.rmtree(study.folder)
    shutil.copytree(kept, study.folder, symlinks=True)
    return study

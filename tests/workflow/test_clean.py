"""`mimic clean --stale`: what it lists and removes, and what it never touches."""

import io
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mimic import clean, cli

SETTINGS = "finetune: {methods: [sft], seeds: [2]}\n"

NAMED = [
    "results/essays/manifest.json",
    "results/essays/essays.csv",
    # The folder of a manifest belongs to its job whole.
    "results/finetune/smollm2-sft-s2/manifest.json",
    "results/finetune/smollm2-sft-s2/adapter/weights.safetensors",
    "results/questionnaire/none/smollm2-base/answers.parquet",
    "results/metrics/smollm2-base.json",
    "results/judge/texts/smollm2-sft-s2/probabilities.csv",
    "results/report/figures/a.svg",
    "results/logs/essays.log",
    # A job that failed has a log and no output yet.
    "results/logs/finetune/smollm2-sft-s2.log",
    # What TensorBoard reads of a training.
    "results/logs/finetune/smollm2-sft-s2/events.out.tfevents.0",
    "results/logs/metrics/smollm2-base.log",
    "results/logs/questionnaire/none/smollm2-base.log",
    "results/benchmarks/judge/texts/smollm2-sft-s2.tsv",
    "results/.identities/metrics__smollm2-base.json.json",
]
NOT_OURS = [
    "results/.store/0123/manifest.json",
    str(Path("results/.store", "work", "0123", "half")),
    "results/smoke/finetune/smollm2-dpo-s9/manifest.json",
    "results/smoke/.identities/finetune__smollm2-dpo-s9__manifest.json.json",
    "results/notes/mine.txt",
    "results/mine.txt",
    "results/logs/slurm/123.log",
    "results/models/other-study/.identities/essays__essays.csv.json",
    "results/models/other-study/essays/essays.csv",
    "finetune/mine.txt",
]
STALE = {
    "results/finetune/smollm2-dpo-s1": ["manifest.json", "adapter/weights.safetensors"],
    "results/questionnaire/own": ["smollm2-base/answers.parquet", "smollm2-base/manifest.json"],
    "results/questionnaire/none/smollm2-dpo-s1": ["answers.parquet"],
    "results/metrics/smollm2-dpo-s1.json": [""],
    # Beside a named file, in a folder that no manifest owns.
    "results/judge/texts/smollm2-sft-s2/former.csv": [""],
    "results/judge/texts/smollm2-dpo-s1": ["probabilities.csv"],
    "results/logs/finetune/smollm2-dpo-s1.log": [""],
    "results/logs/finetune/smollm2-dpo-s1": ["events.out.tfevents.0"],
    "results/benchmarks/finetune/smollm2-dpo-s1.tsv": [""],
    "results/.identities/metrics__smollm2-dpo-s1.json.json": [""],
    "results/.identities/finetune__smollm2-dpo-s1__manifest.json.json": [""],
}


def stale_files() -> list[Path]:
    return [Path(path, name) if name else Path(path) for path in STALE for name in STALE[path]]


@pytest.fixture(scope="module")
def copied(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project without results."""
    folder = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in ("workflow", "config"):
        shutil.copytree(project / name, folder / name, ignore=ignored)
    for name in ("Snakefile", "pyproject.toml"):
        shutil.copy(project / name, folder / name)
    (folder / "config/mine.yaml").write_text(SETTINGS)
    return folder


@pytest.fixture(scope="module")
def named(copied: Path) -> set[Path]:
    """What Snakemake says that the study names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(copied)
        patch.setenv("PYTHONPATH", str(copied / "workflow"))
        return clean.named_outputs(Path("config/mine.yaml"))


@pytest.fixture
def study(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy, with results of the study, stale ones, and what isn't the study's."""
    monkeypatch.chdir(copied)
    monkeypatch.setenv("PYTHONPATH", str(copied / "workflow"))
    monkeypatch.delenv("MIMIC_STORE", raising=False)
    for name in ("results", "finetune", ".snakemake"):
        shutil.rmtree(copied / name, ignore_errors=True)
    for path in [*map(Path, [*NAMED, *NOT_OURS]), *stale_files()]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    return copied


@pytest.fixture
def quick(study: Path, named: set[Path], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command without asking Snakemake again."""
    monkeypatch.setattr(clean, "named_outputs", lambda _configfile: named)
    return ["clean", "--stale", "--configfile", "config/mine.yaml"]


class Terminal(io.StringIO):
    """A standard input that someone sits at."""

    def isatty(self) -> bool:
        return True


def all_there() -> bool:
    return all(path.exists() for path in [*map(Path, [*NAMED, *NOT_OURS]), *stale_files()])


def test_snakemake_names_outputs_that_exist_and_that_do_not(named: set[Path]) -> None:
    assert Path("results/report/index.html") in named
    assert Path("results/finetune/smollm2-sft-s2/manifest.json") in named
    assert not [path for path in named if "dpo" in path.name or "dpo" in path.parent.name]


def test_what_is_stale(study: Path, named: set[Path]) -> None:
    found = {path.as_posix() for path in clean.stale_results(Path("results"), named)}
    assert found == set(STALE)


def test_it_removes_what_is_stale_and_nothing_else(study: Path) -> None:
    command = [sys.executable, "-m", "mimic.cli", "clean", "--stale", "--yes"]
    done = subprocess.run(
        [*command, "--configfile", "config/mine.yaml"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert not [path for path in stale_files() if path.exists()]
    assert not [path for path in STALE if Path(path).exists()]
    assert not [path for path in [*NAMED, *NOT_OURS] if not Path(path).exists()]
    assert done.stdout.endswith("removed\n")


def test_without_a_terminal_it_only_lists(
    quick: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    Path("results/finetune/smollm2-dpo-s1/large").write_bytes(bytes(2_500_000))
    assert cli.main(quick) == 0
    out = capsys.readouterr().out
    assert "2.5 MB  results/finetune/smollm2-dpo-s1/\n" in out
    assert "nothing was removed; --yes removes" in out
    assert all(path in out for path in STALE)
    assert all_there()


@pytest.mark.parametrize(("answer", "removed"), [("y\n", True), ("n\n", False), ("", False)])
def test_it_asks(
    quick: list[str], monkeypatch: pytest.MonkeyPatch, answer: str, removed: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert cli.main(quick) == 0
    assert any(path.exists() for path in stale_files()) is not removed
    assert all(Path(path).exists() for path in [*NAMED, *NOT_OURS])


def test_nothing_stale(quick: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*quick, "--yes"]) == 0
    capsys.readouterr()
    assert cli.main([*quick, "--yes"]) == 0
    assert capsys.readouterr().out == "nothing in results is stale\n"


def test_links_are_not_followed(quick: list[str], tmp_path: Path) -> None:
    for name in ("adapters", "gates"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.txt").write_text("mine")
    Path("results/finetune/link").symlink_to(tmp_path / "adapters")
    shutil.rmtree("results/questionnaire")
    Path("results/questionnaire").symlink_to(tmp_path / "gates")
    assert cli.main([*quick, "--yes"]) == 0
    assert not Path("results/finetune/link").is_symlink()
    assert Path("results/questionnaire").is_symlink()
    assert len(list(tmp_path.glob("*/mine.txt"))) == 2


def test_a_store_in_a_stage_folder_stays(
    quick: list[str], study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMIC_STORE", str(study / "results/finetune/store"))
    Path("results/finetune/store/0123").mkdir(parents=True)
    assert cli.main([*quick, "--yes"]) == 0
    assert Path("results/finetune/store/0123").is_dir()


def test_it_waits_for_snakemake(quick: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(".snakemake/locks").mkdir(parents=True)
    Path(".snakemake/locks/0.input.lock").touch()
    assert cli.main([*quick, "--yes"]) == 2
    assert "error: Snakemake is at work" in capsys.readouterr().err
    assert all_there()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("finetun: {}\n", "finetun: no such setting; did you mean 'finetune'?"),
        ("root: results/none\n", "results/none: holds no results of a study"),
        (None, "config/wrong.yaml: no such settings file"),
    ],
)
def test_mistakes_are_told_in_words(
    study: Path, capsys: pytest.CaptureFixture[str], settings: str | None, words: str
) -> None:
    path = Path("config/wrong.yaml")
    path.unlink(missing_ok=True)
    if settings is not None:
        path.write_text(settings)
    assert cli.main(["clean", "--stale", "--yes", "--configfile", str(path)]) == 2
    assert words in capsys.readouterr().err
    assert all_there()


def test_snakemakes_own_words(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert cli.main(["clean", "--stale", "--yes"]) == 2
    assert "`snakemake --summary` failed" in capsys.readouterr().err
    assert all_there()


def test_it_is_called_in_the_projects_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["clean", "--stale"]) == 2
    assert "no Snakefile here" in capsys.readouterr().err


def test_stale_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["clean"])
    assert caught.value.code == 2
    assert "--stale" in capsys.readouterr().err


def test_the_console_script_is_this(project: Path) -> None:
    scripts = tomllib.loads((project / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"mimic": f"{cli.__name__}:{cli.main.__name__}"}

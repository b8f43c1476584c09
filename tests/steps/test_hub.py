"""Models of the hub: what is fetched, and what a user reads when that fails."""

import json
import shutil

import pytest
from fake_hub import TOKEN, FakeHub, ask_it, serving
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from tiny_llama import ARCHITECTURE, ENTRY, ID, REVISION

from mimic.compute import load_tokenizer
from mimic.models import fetch
from mimic.models.hub import in_words
from mimic.models.settings import HubSettings

OTHER = "b" * 40


@pytest.fixture
def hub(tiny_model, tmp_path, monkeypatch):
    folder = shutil.copytree(
        tiny_model.parent, tmp_path / "files", ignore=shutil.ignore_patterns("manifest.json")
    )
    # What repositories hold besides.
    (folder / "pytorch_model.bin").write_bytes(b"code could be here")
    (folder / "consolidated.safetensors").write_bytes(b"the same weights again")
    (folder / "original").mkdir()
    (folder / "original/params.json").write_text("{}")
    with serving(FakeHub(ID, REVISION, folder)) as served:
        ask_it(served, tmp_path, monkeypatch)
        yield served


@pytest.fixture
def job_of(make_job):
    def make(out="out", *, id=ID, revision=REVISION, dtype="float32", **architecture):
        entry = ENTRY | {
            "source": {"kind": "hub", "id": id, "revision": revision},
            "dtype": dtype,
            "architecture": ARCHITECTURE | architecture,
        }
        return make_job(settings={"model": entry}, inputs={}, out=out)

    return make


def refusal(job):
    with pytest.raises(ValueError) as caught:
        fetch.main(job)
    return str(caught.value)


def test_the_published_files_are_kept_as_they_are_and_only_what_is_loaded(hub, job_of):
    job = job_of()
    fetch.main(job)
    kept = {path.name for path in job.out.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "model.json"} <= kept
    assert not kept & {"pytorch_model.bin", "consolidated.safetensors", "original", "params.json"}
    assert not any("pytorch_model.bin" in line for line in hub.asked)
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (job.out / name).read_bytes() == (hub.folder / name).read_bytes()
    assert not any(path.is_symlink() for path in job.out.iterdir())
    described = json.loads((job.out / "model.json").read_text())
    assert described["source"]["revision"] == REVISION
    assert described["architecture"] == ARCHITECTURE
    assert described["chat_template"] == "own"


def test_a_title_leaves_the_model_s_bytes(hub, job_of):
    first, second = job_of("first"), job_of("second")
    second.settings["model"] |= {"title": "Another", "license": "MIT", "gated": True}
    for job in (first, second):
        fetch.main(job)
    assert (first.out / "model.json").read_bytes() == (second.out / "model.json").read_bytes()


def test_without_a_chat_template_the_plain_one_is_used_and_noted(hub, job_of, capsys):
    (hub.folder / "chat_template.jinja").unlink()
    job = job_of()
    fetch.main(job)
    assert json.loads((job.out / "model.json").read_text())["chat_template"] == "plain"
    assert "no chat template; the plain one is used" in capsys.readouterr().out
    asked = [{"role": "user", "content": "Are you tidy?"}]
    tokenizer = load_tokenizer(job.out)
    assert tokenizer.apply_chat_template(asked, tokenize=False) == (
        f"{tokenizer.bos_token}Are you tidy?\n\n"
    )


def test_a_revision_that_isn_t_there_is_named_with_the_file_to_mend(hub, job_of):
    message = refusal(job_of(revision=OTHER))
    assert f"no revision {OTHER} of {ID}" in message
    assert f"config/models.yaml names; put a commit there that {hub.url}/{ID}/commits/main" in (
        message
    )


def test_a_model_that_isn_t_there_is_named(hub, job_of):
    assert "the hub has no model mimic/none that you can see" in refusal(job_of(id="mimic/none"))


def test_a_gated_model_without_a_token_says_where_to_ask(hub, job_of):
    hub.gated = True
    message = refusal(job_of())
    assert f"{ID} is gated: ask for access on its page, {hub.url}/{ID}, then set HF_TOKEN" in (
        message
    )


def test_a_gated_model_with_a_token_that_has_no_access_says_so(hub, job_of, monkeypatch):
    hub.gated = True
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    message = refusal(job_of())
    assert f"{ID} is gated, and your token has no access to it" in message
    assert f"{hub.url}/{ID}" in message and TOKEN not in message


def test_a_gated_model_is_fetched_with_a_token_that_has_access(hub, job_of, monkeypatch):
    hub.gated, hub.allowed = True, (TOKEN,)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    job = job_of()
    fetch.main(job)
    for path in job.out.iterdir():
        assert TOKEN.encode() not in path.read_bytes()


def test_a_token_that_is_none_is_told_from_a_missing_model(hub, job_of, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "nonsense")
    message = refusal(job_of())
    assert "refuses the token in HF_TOKEN" in message and "nonsense" not in message


def test_a_hub_that_is_down_is_no_fault_of_the_entry(hub, job_of, monkeypatch):
    hub.down = True
    # It is asked several times, with pauses between.
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    message = refusal(job_of())
    assert f"could not be asked for {ID}" in message and "try again later" in message


def test_offline_with_an_empty_cache_names_the_command_that_fills_it(hub, job_of, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    message = refusal(job_of())
    assert "HF_HUB_OFFLINE is set; run `mimic download` on" in message
    assert constants.HF_HUB_CACHE in message
    assert not hub.asked


def test_offline_with_part_of_the_files_is_not_taken_for_all(hub, job_of, monkeypatch, tmp_path):
    fetch.main(job_of("first"))
    snapshot = next((tmp_path / "cache").rglob("snapshots/*"))
    (snapshot / "model.safetensors").unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "isn't complete in the cache" in refusal(job_of("second"))


def test_another_architecture_is_refused_before_the_weights_are_fetched(hub, job_of):
    message = refusal(job_of(layers=3, tied_embeddings=False, dtype="bfloat16"))
    assert f"{ID}: config/models.yaml describes another model than its config.json" in message
    assert "layers is 3, not 2; tied_embeddings is False, not True; dtype is bfloat16" in message
    assert not any("safetensors" in line for line in hub.asked)


def test_a_model_whose_config_tells_no_shape_is_refused(hub, job_of):
    (hub.folder / "config.json").write_text(json.dumps({"model_type": "bloom"}))
    assert "its config.json tells no intermediate_size" in refusal(job_of())


def test_a_repository_without_config_is_no_model(hub, job_of):
    (hub.folder / "config.json").unlink()
    assert f"{ID} at revision {REVISION} has no config.json" in refusal(job_of())


@pytest.mark.parametrize("sharded", [False, True])
def test_weights_that_aren_t_all_safetensors_are_refused(hub, job_of, sharded):
    (hub.folder / "model.safetensors").rename(hub.folder / "model-1.safetensors")
    missing = "model.safetensors"
    if sharded:
        shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
        index = json.dumps({"weight_map": shards})
        (hub.folder / "model.safetensors.index.json").write_text(index)
        missing = "model-2.safetensors"
    message = refusal(job_of())
    assert f"no {missing}; weights are loaded from safetensors alone" in message


def test_a_403_that_came_as_a_failed_look_up_is_told_as_what_it_is(hub):
    # A fine-grained token without the right to gated repositories gets a 403 without a code.
    from httpx2 import Request, Response
    from huggingface_hub.errors import HfHubHTTPError

    response = Response(403, request=Request("HEAD", hub.url))
    wrapped = LocalEntryNotFoundError("An error happened")
    wrapped.__cause__ = HfHubHTTPError("403 Forbidden", response=response)
    source = HubSettings(id=ID, revision=REVISION)
    assert f"{ID} is gated" in in_words(wrapped, source)

"""A model that a provider serves, on a loopback server: asking, keeping, and what goes wrong."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from chat_server import KEY, MODEL, NOT_FOUND, VARIABLE, ChatServer, completion

from mimic import api
from mimic.files import write_json
from mimic.metrics.protocols import generated_figures, not_served
from mimic.metrics.resampling import Resampling
from mimic.metrics.run import cuts_of
from mimic.questionnaire import generate_api
from mimic.questionnaire.instruments import load_instrument
from mimic.respondents.api import ApiRespondent, NotServedError
from mimic.respondents.api_settings import ApiSettings
from mimic.respondents.base import Prompt
from mimic.step import Job
from mimic.writing import write_api

PROMPTS = [Prompt(f"Are you person {number}?", f"of {number}") for number in range(20)]


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(VARIABLE, KEY)
    monkeypatch.setattr(api, "WAITS_S", (0.0, 0.0))


@pytest.fixture
def server():
    with ChatServer() as serving:
        yield serving


def respondent(server, *, sampling=None, **source):
    settings = ApiSettings(**server.source(**source))
    return ApiRespondent(settings, max_tokens=7, **(sampling or {}))


def answers(asked, prompts=PROMPTS):
    found = {}
    for batch in asked.answers(prompts):
        found |= batch
    return [found[position] for position in range(len(prompts))]


def refusal(server, *, error=ValueError, **source):
    with pytest.raises(error) as caught:
        answers(respondent(server, **source))
    assert KEY not in str(caught.value)
    return str(caught.value)


def test_each_request_is_sent_once_greedily_and_its_answer_stands_in_its_place(server):
    found = answers(respondent(server))
    assert [text.split()[4] for text in found] == [str(len(one.text)) for one in PROMPTS]
    assert server.paths == {"/v1/chat/completions"}
    assert server.keys == {f"Bearer {KEY}"}
    assert len(server.asked) == len(PROMPTS)
    by_text = {body["messages"][0]["content"]: body for body in server.asked}
    assert by_text[PROMPTS[3].text] == {
        "model": MODEL,
        "messages": [{"role": "user", "content": PROMPTS[3].text}],
        "max_tokens": 7,
        "temperature": 0.0,
    }


def test_samples_have_seeds_of_their_own_that_stay(server):
    prompts = [Prompt("Tell me.", "a", sample=sample) for sample in range(3)]
    sampling = {"temperature": 0.5, "top_p": 0.9, "seed": 4}
    first = answers(respondent(server, sampling=sampling), prompts)
    assert answers(respondent(server, sampling=sampling), prompts) == first
    assert len(set(first)) == 3
    assert {(body["temperature"], body["top_p"]) for body in server.asked} == {(0.5, 0.9)}
    other = answers(respondent(server, sampling=sampling | {"seed": 5}), prompts)
    assert not set(other) & set(first)
    assert all(0 <= body["seed"] < 2**31 for body in server.asked)


def test_an_answer_without_text_is_empty(server):
    server.reply = lambda _: (200, {}, completion(None))
    assert answers(respondent(server)) == [""] * len(PROMPTS)


def test_a_busy_api_is_asked_again(server):
    replies = {2: (429, {"Retry-After": "0"}, {}), 7: (503, {}, b"")}
    server.reply = lambda _: replies.get(len(server.asked))
    assert len(answers(respondent(server))) == len(PROMPTS)
    assert len(server.asked) == len(PROMPTS) + 2


def test_an_api_that_is_down_stops_the_job(server):
    server.reply = lambda _: (500, {}, b"")
    assert "answered 500 Internal Server Error; start again later" in refusal(server)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, NOT_FOUND),
        (403, {"error": NOT_FOUND["error"] | {"message": "No access"}}),
        # Without a code of its own, as inference servers answer.
        (404, {"object": "error", "message": f"The model `{MODEL}` does not exist.", "code": 404}),
        (410, {"error": {"message": f"{MODEL} was retired", "code": None}}),
    ],
)
def test_a_model_that_is_not_served_is_told_from_everything_else(server, status, body):
    server.reply = lambda _: (status, {}, body)
    message = refusal(server, error=NotServedError)
    assert message.startswith(f"{server.url} doesn't serve {MODEL}: ")
    assert body.get("error", body)["message"] in message


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            (401, {}, {"error": {"code": "invalid_api_key", "message": f"Wrong key: {KEY}"}}),
            r"answered 401 Unauthorized (invalid_api_key); check base_url and id",
        ),
        ((404, {}, b"<html>nothing here</html>"), "answered 404 Not Found; check base_url"),
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), "answered 302 Found; check"),
        ((200, {}, b"<html></html>"), "no chat completion"),
        ((200, {}, {"model": MODEL, "choices": []}), "no chat completion"),
        (
            (200, {}, completion("Yes.", model="another-model")),
            f"was asked for {MODEL} and let 'another-model' answer; a substitute isn't taken",
        ),
        (
            (429, {}, {"error": {"code": "insufficient_quota", "message": KEY}}),
            "answered 429 Too Many Requests (insufficient_quota); start again later",
        ),
    ],
)
def test_what_is_wrong_with_an_api_is_no_empty_cell(server, reply, words):
    server.reply = lambda _: reply
    message = refusal(server)
    assert words in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, f"{VARIABLE} is not set; {MODEL} is served by"),
        (" ", "is not set"),
        ("sk-1\nsk-2", "holds no key"),
    ],
)
def test_nothing_is_sent_without_a_key(server, monkeypatch, value, words):
    monkeypatch.delenv(VARIABLE)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    message = refusal(server)
    assert words in message and "sk-" not in message
    assert not server.asked


@pytest.fixture
def job_of(make_job, server, project, essays_csv, tmp_path):
    def make(out, *, stage, texts=(), source=None, **changes) -> Job:
        model = tmp_path / f"model-{out}"
        model.mkdir()
        served = source or server.source()
        write_json(model / "model.json", {"source": served, "chat_template": "provider"})
        settings = {
            "questionnaire": {"max_tokens": 9, "temperature": 0.0},
            "writing": {"max_new_tokens": 16, "profiles": 16},
        }[stage]
        job = make_job(
            settings={stage: settings | changes},
            inputs={
                "model": model / "manifest.json",
                "adapter": [],
                "released": project / "config/forms/released.yaml",
                "instrument": project / "config/instruments/mini_ipip_10.yaml",
                "texts": list(texts),
                "essays": essays_csv,
                "trait_words": project / "workflow/resources/trait_words.yaml",
            },
            out=out,
        )
        return dataclasses.replace(job, answers=tmp_path / "answers")

    return make


def bytes_below(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def status_of(job):
    return json.loads((job.out / "served.json").read_text())


def test_answers_in_words_are_measured_like_a_local_model_s(job_of, server, project, capfd):
    job = job_of("a", stage="questionnaire")
    generate_api.main(job)
    assert status_of(job) == {"reason": None, "asked": 120, "kept": 120}
    assert not_served(job.out / "served.json") is None
    path = job.out / "generated.parquet"
    table = pd.read_parquet(path)
    # What the server says begins with no phrase.
    assert (table["option"] == (table["form"] != "S2")).all()
    instrument = load_instrument(project / "config/instruments/mini_ipip_10.yaml")
    figures = generated_figures(
        path,
        ["released", "corrected"],
        cuts=cuts_of(instrument),
        resampling=Resampling(draws=100, permutations=99, seed=1),
    )
    assert (figures["answers"], figures["unparsed"]) == (120, {"no option": 40})
    said = capfd.readouterr()
    assert KEY not in said.out + said.err
    assert KEY.encode() not in bytes_below(job.out.parent)


def test_nobody_pays_twice_and_who_has_the_answers_needs_no_key(job_of, server, monkeypatch):
    generate_api.main(job_of("a", stage="questionnaire"))
    paid = len(server.asked)
    assert paid == 120
    monkeypatch.delenv(VARIABLE)
    again = job_of("b", stage="questionnaire", source=server.source(key_variable="ANOTHER"))
    # The batches of local models are no matter here.
    again.settings["questionnaire"]["batch_size"] = 3
    generate_api.main(again)
    assert len(server.asked) == paid
    a, b = (pd.read_parquet(again.out.parent / out / "generated.parquet") for out in "ab")
    pd.testing.assert_frame_equal(a, b)
    monkeypatch.setenv(VARIABLE, KEY)
    generate_api.main(job_of("c", stage="questionnaire", max_tokens=10))
    assert len(server.asked) == 2 * paid
    # What was answered before the provider stopped to serve the model is all there.
    server.reply = lambda _: (404, {}, NOT_FOUND)
    generate_api.main(job_of("d", stage="questionnaire"))
    assert len(server.asked) == 2 * paid


def test_a_job_that_failed_goes_on_with_what_is_missing(job_of, server):
    server.reply = lambda _: (400, {}, {}) if len(server.asked) > 50 else None
    with pytest.raises(ValueError, match="answered 400 Bad Request"):
        generate_api.main(job_of("a", stage="questionnaire"))
    failed = len(server.asked)
    server.reply = lambda _: None
    generate_api.main(job_of("b", stage="questionnaire"))
    assert len(server.asked) - failed < 120 - 30


def test_a_model_that_is_no_longer_served_leaves_an_empty_table_and_its_reason(job_of, server):
    generate_api.main(job_of("before", stage="questionnaire"))
    server.reply = lambda _: (404, {}, NOT_FOUND)
    job = job_of("after", stage="questionnaire", profiles=16)
    generate_api.main(job)
    table = pd.read_parquet(job.out / "generated.parquet")
    assert table.empty and "option" in table
    status = status_of(job)
    assert (status["asked"], status["kept"]) == (480, 120)
    found = not_served(job.out / "served.json")
    assert found == {"not_served": status["reason"]}
    assert f"doesn't serve {MODEL}: The model `{MODEL}` does not exist" in found["not_served"]


def test_texts_have_their_hygiene_and_no_essay_is_sent(job_of, server, essays_csv):
    essays = pd.read_csv(essays_csv)
    copied = essays.loc[0, "text"]

    def reply(body):
        first = "openness" in body["messages"][0]["content"] and len(server.asked) == 1
        return (200, {}, completion(copied)) if first else None

    server.reply = reply
    job = job_of("a", stage="writing")
    write_api.main(job)
    texts = pd.read_csv(job.out / "texts.csv")
    assert len(texts) == len(server.asked) == 64
    assert texts["copied"].sum() == 1 and not texts["text"].str.contains("\n").any()
    # By words and punctuation marks.
    (plain,) = set(texts["tokens"][texts["copied"] == 0])
    assert plain == 18
    hygiene = json.loads((job.out / "hygiene.json").read_text())
    assert hygiene["chat_template"] == "provider"
    assert hygiene["served"] == {"reason": None, "asked": 64, "kept": 64}
    sent = json.dumps(server.asked)
    assert not any(text in sent for text in essays["text"])


def test_own_texts_stand_in_requests_and_are_missing_where_none_were_written(job_of, server):
    wrote = job_of("wrote", stage="writing", temperature=0.0, samples=1)
    write_api.main(wrote)
    texts = pd.read_csv(wrote.out / "texts.csv")["text"]
    server.asked.clear()
    own = job_of("own", stage="questionnaire", texts=[wrote.out / "texts.csv"])
    generate_api.main(own)
    with_texts = [body["messages"][0]["content"] for body in server.asked]
    assert all("Earlier you wrote this text:" in request for request in with_texts)
    assert all(any(text in request for text in texts) for request in with_texts)

    server.reply = lambda _: (404, {}, NOT_FOUND)
    nothing = job_of("nothing", stage="writing", seed=2)
    write_api.main(nothing)
    hygiene = json.loads((nothing.out / "hygiene.json").read_text())
    assert (hygiene["texts"], hygiene["mean_tokens"]) == (0, None)
    assert "doesn't serve" in hygiene["served"]["reason"]
    job = job_of("after", stage="questionnaire", texts=[nothing.out / "texts.csv"])
    generate_api.main(job)
    assert "no texts of its own, because it wasn't served" in status_of(job)["reason"]
    assert pd.read_parquet(job.out / "generated.parquet").empty


def test_the_key_stands_in_no_record_and_no_log(
    runner, server, essays_csv, project, tmp_path, monkeypatch
):
    model = tmp_path / "model"
    model.mkdir()
    write_json(model / "model.json", {"source": server.source()})
    (model / "manifest.json").write_text("{}")
    command = runner(
        "writing.write_api",
        outputs=["results/w/manifest.json"],
        settings={"writing": {"max_new_tokens": 16, "samples": 1}},
        inputs={
            "model": [str(model / "manifest.json")],
            "essays": [str(essays_csv)],
            "trait_words": [str(project / "workflow/resources/trait_words.yaml")],
        },
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.asked) == 32 and server.keys == {f"Bearer {KEY}"}
    assert list((tmp_path / "store").rglob("record.json"))
    assert KEY.encode() not in bytes_below(tmp_path)
    assert KEY not in done.stdout + done.stderr

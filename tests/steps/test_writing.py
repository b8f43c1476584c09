import json

import pandas as pd

from mimic.writing import write


def job_of(make_job, essays_csv, tiny_model, project, out="out", **changes):
    settings = {"max_new_tokens": 8, "batch_size": 16} | changes
    return make_job(
        settings={"writing": settings, "compute": {"threads": 1}},
        inputs={
            "model": tiny_model,
            "adapter": [],
            "essays": essays_csv,
            "trait_words": project / "workflow/resources/trait_words.yaml",
        },
        out=out,
    )


def test_one_text_for_each_profile_situation_and_sample(make_job, essays_csv, tiny_model, project):
    job = job_of(make_job, essays_csv, tiny_model, project)
    write.main(job)
    texts = pd.read_csv(job.out / "texts.csv", keep_default_na=False)
    assert len(texts) == 32
    assert set(texts.groupby("profile").size()) == {2}
    assert texts["id"].is_unique
    # With a temperature the two samples of a profile differ.
    assert texts["text"].nunique() > 16
    hygiene = json.loads((job.out / "hygiene.json").read_text())
    assert hygiene["texts"] == 32


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(
    make_job, essays_csv, tiny_model, project
):
    folders = []
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        job = job_of(make_job, essays_csv, tiny_model, project, out=out, seed=seed)
        write.main(job)
        folders.append((job.out / "texts.csv").read_bytes())
    assert folders[0] == folders[1] != folders[2]

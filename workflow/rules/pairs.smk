# pairs: essays (instrument, rewordings of items and their splits, where prompts hold items)
#   -> pairs/{run}/  train.jsonl, validation.jsonl: conversations for SFT, preferences for DPO, ORPO
# pairs_published, where runs take a published split: essays, their order in the corpus
#   -> pairs/{split}/  essays.csv with the roles of that split
# Steps: mimic.pairs.conversations, mimic.pairs.preferences, mimic.pairs.published


rule pairs:
    input:
        essays=lambda w: essays_by(study.runs[w.run].judge),
        digests=lambda w: beside(essays_by(study.runs[w.run].judge)),
        splits=in_prompts(f"{ROOT}/forms/splits.json"),
        instrument=in_prompts(ancient(INSTRUMENT)),
        rewordings=in_prompts(ancient(REWORDINGS)),
    output:
        manifest=f"{ROOT}/pairs/{{run}}/manifest.json",
    log:
        f"{ROOT}/logs/pairs/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/pairs/{{run}}.tsv"
    wildcard_constraints:
        run=f"(?!(?:{SPLITS})/){LABEL}",
    threads: 1
    resources:
        **asks("pairs", mem_mb=1000, runtime=15),
    params:
        name="pairs {run}",
        spec=pairs_spec,
        files=files_of(rule="pairs"),
    message:
        "pairs: training data of {wildcards.run}"
    shell:
        RUN


rule pairs_published:
    input:
        essays=ancient(f"{ROOT}/essays/essays.csv"),
        digests=f"{ROOT}/essays/manifest.json",
        order=f"{ROOT}/essays/file_order.csv",
    output:
        manifest=f"{ROOT}/pairs/{{split}}/manifest.json",
        essays=f"{ROOT}/pairs/{{split}}/essays.csv",
    log:
        f"{ROOT}/logs/pairs/{{split}}.log",
    benchmark:
        f"{ROOT}/benchmarks/pairs/{{split}}.tsv"
    threads: 1
    resources:
        **asks("pairs_published", mem_mb=1000, runtime=15),
    params:
        name="pairs {split}",
        spec=lambda w: spec("pairs.published", group="data", settings={"split": w.split}),
        files=files_of(rule="pairs_published"),
    message:
        "pairs: essays in the split {wildcards.split}"
    shell:
        RUN

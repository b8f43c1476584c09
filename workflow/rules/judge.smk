# judge: essays of role E
#   -> judge/{judge}/  the reading judge and its own figure; one more for each published split
# judge: the judge, a run's texts
#   -> judge/texts/{run}/  probabilities.csv; those of a base also by the judge of a published split
# Steps: mimic.judge.train, mimic.judge.read


rule judge_train:
    input:
        essays=lambda w: essays_by(w.judge),
        digests=lambda w: beside(essays_by(w.judge)),
        trait_words=ancient(TRAIT_WORDS),
    output:
        manifest=f"{ROOT}/judge/{{judge}}/manifest.json",
        figure=f"{ROOT}/judge/{{judge}}/figure.json",
    log:
        f"{ROOT}/logs/judge/{{judge}}.log",
    benchmark:
        f"{ROOT}/benchmarks/judge/{{judge}}.tsv"
    threads: study.settings.compute.threads
    resources:
        **asks("judge_train", mem_mb=3000, runtime=60),
    params:
        name="judge {judge}",
        spec=judge_spec,
        files=files_of(rule="judge_train"),
    message:
        "judge: training the judge {wildcards.judge} on essays of role E"
    shell:
        RUN


rule judge_read:
    input:
        judge=lambda w: f"{ROOT}/judge/{judge_of(w)}/manifest.json",
        texts=ancient(f"{ROOT}/writing/{{run}}/texts.csv"),
        digests=f"{ROOT}/writing/{{run}}/manifest.json",
        trait_words=ancient(TRAIT_WORDS),
    output:
        probabilities=f"{ROOT}/judge/texts/{{run}}{{by}}/probabilities.csv",
    log:
        f"{ROOT}/logs/judge/texts/{{run}}{{by}}.log",
    benchmark:
        f"{ROOT}/benchmarks/judge/texts/{{run}}{{by}}.tsv"
    threads: study.settings.compute.threads
    resources:
        **asks("judge_read", mem_mb=3000, runtime=60),
    params:
        name="judge texts of {run}{by}",
        spec=spec(
            "judge.read",
            group="measure",
            settings=study.slice("compute"),
            sources={"trait_words": TRAIT_WORDS},
        ),
        files=files_of(rule="judge_read"),
    message:
        "judge: reading the texts of {wildcards.run}"
    shell:
        RUN

# judge: essays of role E
#   -> judge/reading/  the reading judge and its own figure
# judge: the reading judge, a run's texts
#   -> judge/texts/{run}/  probabilities.csv
# Steps: mimic.judge.train, mimic.judge.read


rule judge_train:
    input:
        essays=f"{ROOT}/essays/essays.csv",
        trait_words=ancient(TRAIT_WORDS),
    output:
        manifest=f"{ROOT}/judge/reading/manifest.json",
        figure=f"{ROOT}/judge/reading/figure.json",
    log:
        f"{ROOT}/logs/judge/reading.log",
    benchmark:
        f"{ROOT}/benchmarks/judge/reading.tsv"
    threads: study.settings.compute.threads
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        name="judge reading",
        spec=spec(
            "judge.train",
            group="measure",
            settings={**study.slice("judge", "compute"), "corpus_kind": study.corpus_kind},
            sources={"trait_words": TRAIT_WORDS},
        ),
        files=files_of(rule="judge_train"),
    message:
        "judge: training the reading judge on essays of role E"
    shell:
        RUN


rule judge_read:
    input:
        judge=f"{ROOT}/judge/reading/manifest.json",
        texts=f"{ROOT}/writing/{{run}}/texts.csv",
        trait_words=ancient(TRAIT_WORDS),
    output:
        probabilities=f"{ROOT}/judge/texts/{{run}}/probabilities.csv",
    log:
        f"{ROOT}/logs/judge/texts/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/judge/texts/{{run}}.tsv"
    threads: study.settings.compute.threads
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        name="judge texts of {run}",
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

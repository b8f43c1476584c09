# metrics: answers, judged texts, learning; only once the gates have passed
#   -> metrics/{run}.json
# metrics: the runs' metrics, the judge's figure, the corpus summary, the gates
#   -> metrics/study.json
# Steps: mimic.metrics.run, mimic.metrics.study


rule metrics_run:
    input:
        answers=lambda w: answers_of(w.run),
        base_answers=lambda w: answers_of(study.base_of(w.run)),
        probabilities=f"{ROOT}/judge/texts/{{run}}/probabilities.csv",
        base_probabilities=lambda w: f"{ROOT}/judge/texts/{study.base_of(w.run)}/probabilities.csv",
        hygiene=f"{ROOT}/writing/{{run}}/hygiene.json",
        generated=lambda w: generated_of(w.run),
        instrument=ancient(INSTRUMENT),
        essays=f"{ROOT}/essays/essays.csv",
        learning=learning_of,
        gates=f"{ROOT}/gates/gates.json",
    output:
        metrics=f"{ROOT}/metrics/{{run}}.json",
    log:
        f"{ROOT}/logs/metrics/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/metrics/{{run}}.tsv"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=30,
    params:
        name="metrics {run}",
        spec=metrics_spec,
        files=files_of(rule="metrics_run"),
    message:
        "metrics: figures of {wildcards.run}"
    shell:
        RUN


rule metrics_study:
    input:
        runs=expand(f"{ROOT}/metrics/{{run}}.json", run=study.runs),
        judge=f"{ROOT}/judge/reading/manifest.json",
        summary=f"{ROOT}/essays/summary.json",
        gates=f"{ROOT}/gates/gates.json",
    output:
        study=f"{ROOT}/metrics/study.json",
    log:
        f"{ROOT}/logs/metrics/study.log",
    benchmark:
        f"{ROOT}/benchmarks/metrics/study.tsv"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        name="metrics study",
        spec=spec("metrics.study", group="measure", settings={}),
        files=files_of(rule="metrics_study"),
    message:
        "metrics: figures of the study and its checks"
    shell:
        RUN

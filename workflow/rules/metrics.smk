# metrics: answers (in training wordings too, and what is held out, where a run trained on items),
#   judged texts, learning; only once the gates have passed
#   -> metrics/{run}.json
# metrics_series: answers and judged texts of runs that differ in their seed, and of their null adapters
#   -> metrics/series/{series}.json
# metrics: the runs' metrics, those of series, what runs that try values learned, the judge's figure, the
#   corpus summary, the gates
#   -> metrics/study.json, study.sha256
# Steps: mimic.metrics.run, mimic.metrics.series, mimic.metrics.study


rule metrics_run:
    input:
        answers=lambda w: answers_of(w.run),
        base_answers=lambda w: answers_of(study.base_of(w.run), study.contexts_of(w.run)),
        probabilities=lambda w: read_by(study.runs[w.run].judge, w.run),
        base_probabilities=lambda w: read_by(study.runs[w.run].judge, study.base_of(w.run)),
        hygiene=f"{ROOT}/writing/{{run}}/hygiene.json",
        generated=lambda w: generated_of(w.run),
        instrument=ancient(INSTRUMENT),
        essays=ancient(f"{ROOT}/essays/essays.csv"),
        digests=f"{ROOT}/essays/manifest.json",
        learning=learning_of,
        trained_items=lambda w: items_of(w.run),
        splits=lambda w: splits_of(w.run),
        seen=lambda w: seen_of(w.run),
        gates=f"{ROOT}/gates/gates.json",
    output:
        metrics=f"{ROOT}/metrics/{{run}}.json",
    log:
        f"{ROOT}/logs/metrics/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/metrics/{{run}}.tsv"
    threads: 1
    resources:
        **asks("metrics_run", mem_mb=1500, runtime=30),
    params:
        name="metrics {run}",
        spec=metrics_spec,
        files=files_of(rule="metrics_run"),
    message:
        "metrics: figures of {wildcards.run}"
    shell:
        RUN


rule metrics_series:
    input:
        answers=lambda w: series_answers(w.series),
        base_answers=lambda w: answers_of(f"{study.series[w.series].model}-base", told_contexts()),
        null_answers=lambda w: [
            manifest for null in study.series[w.series].nulls for manifest in answers_of(null)
        ],
        probabilities=lambda w: [
            path
            for run in study.series[w.series].runs
            for path in read_by(study.runs[run].judge, run)
        ],
        null_probabilities=lambda w: [
            path
            for run in study.series[w.series].nulls
            for path in read_by(study.runs[run].judge, run)
        ],
        trained_items=lambda w: items_of(study.series[w.series].runs[0]),
        splits=lambda w: splits_of(study.series[w.series].runs[0]),
        instrument=ancient(INSTRUMENT),
        gates=f"{ROOT}/gates/gates.json",
    output:
        metrics=f"{ROOT}/metrics/series/{{series}}.json",
    log:
        f"{ROOT}/logs/metrics/series/{{series}}.log",
    benchmark:
        f"{ROOT}/benchmarks/metrics/series/{{series}}.tsv"
    threads: 1
    resources:
        **asks("metrics_series", mem_mb=3000, runtime=60),
    params:
        name="metrics of the series {series}",
        spec=series_spec,
        files=files_of(rule="metrics_series"),
    message:
        "metrics: {wildcards.series} over its seeds and against its null adapters"
    shell:
        RUN


rule metrics_study:
    input:
        runs=expand(f"{ROOT}/metrics/{{run}}.json", run=study.measured),
        swept=expand(f"{ROOT}/finetune/{{run}}/learning.json", run=SWEPT),
        series=[
            f"{ROOT}/metrics/series/{one.label}.json"
            for one in study.series.values()
            if one.is_compared
        ],
        judge=f"{ROOT}/judge/reading/manifest.json",
        other_judges=expand(f"{ROOT}/judge/{{split}}/figure.json", split=study.published_splits),
        summary=f"{ROOT}/essays/summary.json",
        gates=f"{ROOT}/gates/gates.json",
    output:
        study=f"{ROOT}/metrics/study.json",
        digests=f"{ROOT}/metrics/study.sha256",
    log:
        f"{ROOT}/logs/metrics/study.log",
    benchmark:
        f"{ROOT}/benchmarks/metrics/study.tsv"
    threads: 1
    resources:
        **asks("metrics_study", mem_mb=500, runtime=5),
    params:
        name="metrics study",
        spec=literal(
            spec(
                "metrics.study",
                group="measure",
                settings={
                    "swept": swept_settings(),
                    "models": compared_models(),
                    **study.slice("metrics"),
                },
            )
        ),
        files=files_of(rule="metrics_study"),
    message:
        "metrics: figures of the study and its checks"
    shell:
        RUN

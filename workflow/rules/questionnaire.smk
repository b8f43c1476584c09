# questionnaire: model, adapter, instrument, forms (and the run's texts, in the context own)
#   -> questionnaire/{context}/{run}/  answers.parquet
# Steps: mimic.questionnaire.ask


rule questionnaire:
    input:
        model=lambda w: f"{ROOT}/models/{study.runs[w.run].model}/manifest.json",
        adapter=adapter_of,
        forms=f"{ROOT}/forms/forms.json",
        texts=texts_of,
        instrument=ancient(INSTRUMENT),
    output:
        manifest=f"{ROOT}/questionnaire/{{context}}/{{run}}/manifest.json",
    log:
        f"{ROOT}/logs/questionnaire/{{context}}/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/questionnaire/{{context}}/{{run}}.tsv"
    threads: study.settings.compute.threads
    resources:
        mem_mb=3500,
        runtime=120,
    params:
        name="questionnaire {run}, context {context}",
        spec=spec(
            "questionnaire.ask",
            group="train",
            settings=questionnaire_settings(),
            sources={"instrument": INSTRUMENT},
        ),
        files=files,
    message:
        "questionnaire: {wildcards.run} answers, context {wildcards.context}"
    shell:
        RUN

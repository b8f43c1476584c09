# questionnaire: model, adapter, instrument, forms; the run's texts (context own) or the essays (human)
#   -> questionnaire/{context}/{run}/  answers.parquet
#   -> questionnaire/seen/{context}/{run}/  the same from forms in training wordings
# generated: the same model, instrument, released forms (and the run's texts, in the context own)
#   -> questionnaire/generated/{context}/{run}/  generated.parquet
# Steps: mimic.questionnaire.ask, mimic.questionnaire.generate, mimic.questionnaire.generate_api


rule questionnaire:
    input:
        model=lambda w: f"{ROOT}/models/{study.runs[w.run].model}/manifest.json",
        adapter=adapter_of,
        forms=forms_of("forms.json"),
        words=forms_of("words.json"),
        texts=texts_of,
        essays=essays_of,
        digests=lambda w: [forms_digest(w), *beside(texts_of(w), essays_of(w))],
        sketches=sketches_of,
        instrument=ancient(INSTRUMENT),
    output:
        manifest=f"{ROOT}/questionnaire{{part}}/{{context}}/{{run}}/manifest.json",
    log:
        f"{ROOT}/logs/questionnaire{{part}}/{{context}}/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/questionnaire{{part}}/{{context}}/{{run}}.tsv"
    threads: for_each_device(study.settings.compute.threads)
    resources:
        **uses("questionnaire", section="questionnaire"),
    params:
        name="questionnaire{part} {run}, context {context}",
        spec=questionnaire_spec,
        files=shared_files("questionnaire"),
    message:
        "questionnaire{wildcards.part}: {wildcards.run} answers, context {wildcards.context}"
    shell:
        RUN


rule generated:
    input:
        model=lambda w: f"{ROOT}/models/{study.runs[w.run].model}/manifest.json",
        adapter=adapter_of,
        texts=texts_of,
        digests=lambda w: beside(texts_of(w)),
        released=ancient(RELEASED_FORMS),
        instrument=ancient(INSTRUMENT),
    output:
        manifest=f"{ROOT}/questionnaire/generated/{{context}}/{{run}}/manifest.json",
    log:
        f"{ROOT}/logs/questionnaire/generated/{{context}}/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/questionnaire/generated/{{context}}/{{run}}.tsv"
    threads: for_each_device(study.settings.compute.threads)
    resources:
        **uses("generated", section="questionnaire.generation"),
    params:
        name="questionnaire {run}, generated, context {context}",
        spec=generated_spec,
        files=shared_files("generated"),
    message:
        "questionnaire: {wildcards.run} answers in words, context {wildcards.context}"
    shell:
        RUN

# forms: authored formats and wordings, rewordings of items, all instruments (and admitted proposals)
#   -> forms/  forms.json, words.json (the items' words by wording), forms.sha256 (of both),
#     splits.json (training and tests)
# forms_seen, where runs trained on items: the same and splits.json -> forms in a training wording
#   -> forms/seen/{kind}/  forms.json, words.json; by which items those runs took
# forms_propose, where the study has a second source of rewordings: its model, rewordings, instruments
#   -> forms/proposed/  proposed.json (admitted), rejected.csv (with reasons)
# Steps: mimic.forms.build, mimic.forms.seen, mimic.forms.propose


rule forms:
    input:
        authored=ancient(AUTHORED_FORMS),
        rewordings=ancient(REWORDINGS),
        instruments=ancient(ALL_INSTRUMENTS),
        proposed=f"{ROOT}/forms/proposed/proposed.json" if study.settings.forms.proposals else [],
    output:
        forms=f"{ROOT}/forms/forms.json",
        words=f"{ROOT}/forms/words.json",
        digests=f"{ROOT}/forms/forms.sha256",
        splits=f"{ROOT}/forms/splits.json",
    log:
        f"{ROOT}/logs/forms.log",
    benchmark:
        f"{ROOT}/benchmarks/forms.tsv"
    threads: 1
    resources:
        **asks("forms", mem_mb=500, runtime=5),
    params:
        name="forms",
        spec=spec(
            "forms.build",
            group="data",
            settings=forms_settings(),
            sources={
                "authored": AUTHORED_FORMS,
                "rewordings": REWORDINGS,
                "instruments": ALL_INSTRUMENTS,
            },
        ),
        files=files_of(rule="forms"),
    message:
        "forms: making the table of forms"
    shell:
        RUN


rule forms_seen:
    input:
        authored=ancient(AUTHORED_FORMS),
        rewordings=ancient(REWORDINGS),
        instrument=ancient(INSTRUMENT),
        splits=f"{ROOT}/forms/splits.json",
    output:
        manifest=f"{ROOT}/forms/seen/{{kind}}/manifest.json",
        forms=f"{ROOT}/forms/seen/{{kind}}/forms.json",
        words=f"{ROOT}/forms/seen/{{kind}}/words.json",
    log:
        f"{ROOT}/logs/forms/seen/{{kind}}.log",
    benchmark:
        f"{ROOT}/benchmarks/forms/seen/{{kind}}.tsv"
    threads: 1
    resources:
        **asks("forms_seen", mem_mb=500, runtime=5),
    params:
        name="forms seen, items {kind}",
        spec=lambda w: spec(
            "forms.seen",
            group="data",
            settings=seen_forms_settings(w),
            sources={
                "authored": AUTHORED_FORMS,
                "rewordings": REWORDINGS,
                "instrument": INSTRUMENT,
            },
        ),
        files=files_of(rule="forms_seen"),
    message:
        "forms: in words of training, for runs that trained on items ({wildcards.kind})"
    shell:
        RUN


rule forms_propose:
    input:
        model=proposer,
        rewordings=ancient(REWORDINGS),
        instruments=ancient(ALL_INSTRUMENTS),
    output:
        proposed=f"{ROOT}/forms/proposed/proposed.json",
        rejected=f"{ROOT}/forms/proposed/rejected.csv",
    log:
        f"{ROOT}/logs/forms/proposed.log",
    benchmark:
        f"{ROOT}/benchmarks/forms/proposed.tsv"
    threads: study.settings.compute.threads
    resources:
        **asks("forms_propose", mem_mb=3500, runtime=120),
    params:
        name="forms proposed",
        spec=proposals_spec,
        files=files_of(rule="forms_propose"),
    message:
        "forms: a model proposes rewordings of items"
    shell:
        RUN

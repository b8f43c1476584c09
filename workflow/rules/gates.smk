# gates: instrument, forms, released forms
#   -> gates/  gates.json; a gate that fails stops the study, for metrics need it
# Steps: mimic.gates.check


rule gates:
    input:
        instrument=ancient(INSTRUMENT),
        released=ancient(RELEASED_FORMS),
        forms=ancient(f"{ROOT}/forms/forms.json"),
        digests=f"{ROOT}/forms/forms.sha256",
    output:
        gates=f"{ROOT}/gates/gates.json",
    log:
        f"{ROOT}/logs/gates.log",
    benchmark:
        f"{ROOT}/benchmarks/gates.tsv"
    threads: 1
    resources:
        **asks("gates", mem_mb=1000, runtime=15),
    params:
        name="gates",
        spec=spec(
            "gates.check",
            group="measure",
            settings=study.slice("gates"),
            sources={"instrument": INSTRUMENT, "released": RELEASED_FORMS},
        ),
        files=files_of(rule="gates"),
    message:
        "gates: checking the measuring on synthetic respondents"
    shell:
        RUN

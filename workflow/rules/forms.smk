# forms: authored formats and wordings
#   -> forms/  forms.json
# Steps: mimic.forms.build


rule forms:
    input:
        authored=ancient(AUTHORED_FORMS),
    output:
        forms=f"{ROOT}/forms/forms.json",
    log:
        f"{ROOT}/logs/forms.log",
    benchmark:
        f"{ROOT}/benchmarks/forms.tsv"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        name="forms",
        spec=spec(
            "forms.build",
            group="data",
            settings=study.slice("forms"),
            sources={"authored": AUTHORED_FORMS},
        ),
        files=files,
    message:
        "forms: making the table of forms"
    shell:
        RUN

# essays: a corpus (and the patterns of the local moderation filter)
#   -> essays/  essays.csv (checked, with roles), file_order.csv, rejected.csv (with reasons), summary.json
# Steps: mimic.essays.prepare


rule essays:
    input:
        **{name: ancient(path) for name, path in essays_sources().items()},
    output:
        manifest=f"{ROOT}/essays/manifest.json",
        essays=f"{ROOT}/essays/essays.csv",
        order=f"{ROOT}/essays/file_order.csv",
        rejected=f"{ROOT}/essays/rejected.csv",
        summary=f"{ROOT}/essays/summary.json",
    log:
        f"{ROOT}/logs/essays.log",
    benchmark:
        f"{ROOT}/benchmarks/essays.tsv"
    threads: 1
    resources:
        # An API judges one essay after the other, and may ask to wait.
        **asks(
            "essays",
            mem_mb=1000,
            runtime=240 if study.settings.essays.moderation.kind == "api" else 15,
        ),
    params:
        name="essays",
        spec=literal(
            spec(
                "essays.prepare",
                group="data",
                settings=essays_settings(),
                sources=essays_sources(),
            )
        ),
        files=files_of(rule="essays"),
    message:
        "essays: checking the corpus and giving its essays roles"
    shell:
        RUN

# report: the study's metrics, the trainings' logs
#   -> report/  index.html (one file that stands alone), figures/
# Steps: mimic.report.build


rule report:
    input:
        study=ancient(f"{ROOT}/metrics/study.json"),
        digests=f"{ROOT}/metrics/study.sha256",
        logs=[
            f"{ROOT}/finetune/{run.label}/training_log.csv"
            for run in study.measured.values()
            if not run.is_base and run.null is None
        ],
        template=ancient(TEMPLATE),
    output:
        manifest=f"{ROOT}/report/manifest.json",
        page=f"{ROOT}/report/index.html",
    log:
        f"{ROOT}/logs/report.log",
    benchmark:
        f"{ROOT}/benchmarks/report.tsv"
    threads: 1
    resources:
        **asks("report", mem_mb=1500, runtime=10),
    params:
        name="report",
        spec=literal(
            spec(
                "report.build",
                group="report",
                settings=report_settings(),
                sources={"template": TEMPLATE},
            )
        ),
        files=files_of(rule="report"),
    message:
        "report: building the page"
    shell:
        RUN

# writing: model, adapter, essays (to find copies; none is sent to an API)
#   -> writing/{run}/  texts.csv, hygiene.json
# Steps: mimic.writing.write, mimic.writing.write_api


rule writing:
    input:
        model=lambda w: f"{ROOT}/models/{study.runs[w.run].model}/manifest.json",
        adapter=adapter_of,
        essays=lambda w: essays_by(study.runs[w.run].judge),
        digests=lambda w: beside(essays_by(study.runs[w.run].judge)),
        trait_words=ancient(TRAIT_WORDS),
    output:
        manifest=f"{ROOT}/writing/{{run}}/manifest.json",
        texts=f"{ROOT}/writing/{{run}}/texts.csv",
        hygiene=f"{ROOT}/writing/{{run}}/hygiene.json",
    log:
        f"{ROOT}/logs/writing/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/writing/{{run}}.tsv"
    threads: for_each_device(study.settings.compute.threads)
    resources:
        **uses("writing", section="writing"),
    params:
        name="writing {run}",
        spec=writing_spec,
        files=shared_files("writing"),
    message:
        "writing: {wildcards.run} writes its texts"
    shell:
        RUN

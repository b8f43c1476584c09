# finetune: model, pairs
#   -> finetune/{run}/  adapter_model.safetensors, training_log.csv, learning.json
# Steps: mimic.finetune.sft, mimic.finetune.dpo, mimic.finetune.orpo


rule finetune:
    input:
        model=lambda w: f"{ROOT}/models/{study.runs[w.run].model}/manifest.json",
        pairs=f"{ROOT}/pairs/{{run}}/manifest.json",
        accelerate=lambda w: [ancient(path) for path in accelerate_file(w.run).values()],
    output:
        manifest=f"{ROOT}/finetune/{{run}}/manifest.json",
        log=f"{ROOT}/finetune/{{run}}/training_log.csv",
        learning=f"{ROOT}/finetune/{{run}}/learning.json",
    log:
        f"{ROOT}/logs/finetune/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/finetune/{{run}}.tsv"
    threads: lambda w: study.settings.compute.threads * devices_of(w)
    resources:
        mem_mb=lambda w: 4000 * devices_of(w),
        runtime=120,
    params:
        name="finetune {run}",
        spec=finetune_spec,
        files=files_of(rule="finetune"),
    message:
        "finetune: training {wildcards.run}"
    shell:
        RUN

# finetune: model, pairs
#   -> finetune/{run}/  adapter_model.safetensors, training_log.csv, learning.json
#   conditioning adapter: adapters/<profile>/adapter_model.safetensors
# Steps: mimic.finetune.sft, mimic.finetune.dpo, mimic.finetune.orpo
# Where finetune.pack is set, the rule pack trains several runs at once into the store, where the job
# of each run then finds its own.


rule pack:
    input:
        pack_inputs,
    output:
        table=f"{PACK_TABLES}/{{pack}}.tsv",
    log:
        f"{ROOT}/logs/finetune/{pack_table.FOLDER}/{{pack}}.log",
    benchmark:
        f"{ROOT}/benchmarks/finetune/{pack_table.FOLDER}/{{pack}}.tsv"
    wildcard_constraints:
        pack=LABEL,
    threads: lambda w: study.settings.compute.threads * len(PACKS[w.pack])
    resources:
        mem_mb=lambda w: 4000 * len(PACKS[w.pack]),
        runtime=120,
    params:
        name="pack {pack}",
        spec=pack_spec,
        files=pack_files,
    message:
        "finetune: training the pack of {wildcards.pack}"
    shell:
        RUN_PACK


rule finetune:
    input:
        model=lambda w: training_inputs(w.run)["model"],
        pairs=lambda w: training_inputs(w.run)["pairs"],
        accelerate=lambda w: list(map(ancient, training_inputs(w.run)["accelerate"])),
        pack=pack_of,
    output:
        **TRAINING_OUTPUTS,
    log:
        f"{ROOT}/logs/finetune/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/finetune/{{run}}.tsv"
    threads: alone(study.settings.compute.threads, packed=1)
    resources:
        mem_mb=alone(4000, packed=500),
        runtime=lambda w: 10 if w.run in PACK_OF else 120,
    params:
        name="finetune {run}",
        spec=lambda w: training_spec(w.run),
        files=files_of(rule="finetune"),
    message:
        "finetune: training {wildcards.run}"
    shell:
        RUN

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
        **asks(
            "pack",
            mem_mb=lambda w: ASKED(*PACKS[w.pack]).mem_mb,
            runtime=lambda w: ASKED(*PACKS[w.pack]).runtime,
            devices=lambda w: sum(map(devices_of, PACKS[w.pack])),
        ),
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
    threads: alone(lambda w: threads_of(w.run), packed=1)
    resources:
        **asks(
            "finetune",
            mem_mb=alone(lambda w: ASKED(w.run).mem_mb, packed=500),
            runtime=alone(lambda w: ASKED(w.run).runtime, packed=10),
            devices=lambda w: devices_of(w.run),
            nodes=NODES,
        ),
    params:
        name="finetune {run}",
        spec=lambda w: training_spec(w.run),
        files=files_of(rule="finetune"),
    message:
        "finetune: training {wildcards.run}"
    shell:
        RUN

# pairs: essays
#   -> pairs/{run}/  train.jsonl, validation.jsonl: conversations for SFT, preferences for DPO, ORPO
# Steps: mimic.pairs.conversations, mimic.pairs.preferences


rule pairs:
    input:
        essays=f"{ROOT}/essays/essays.csv",
    output:
        manifest=f"{ROOT}/pairs/{{run}}/manifest.json",
    log:
        f"{ROOT}/logs/pairs/{{run}}.log",
    benchmark:
        f"{ROOT}/benchmarks/pairs/{{run}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        name="pairs {run}",
        spec=pairs_spec,
        files=files_of(rule="pairs"),
    message:
        "pairs: training data of {wildcards.run}"
    shell:
        RUN

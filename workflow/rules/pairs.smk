# pairs: essays
#   -> pairs/{kind}/  train.jsonl, validation.jsonl; kind is conversations (SFT) or
#      preferences (DPO, ORPO)
# Steps: mimic.pairs.conversations, mimic.pairs.preferences


rule pairs:
    input:
        essays=f"{ROOT}/essays/essays.csv",
    output:
        manifest=f"{ROOT}/pairs/{{kind}}/manifest.json",
    log:
        f"{ROOT}/logs/pairs/{{kind}}.log",
    benchmark:
        f"{ROOT}/benchmarks/pairs/{{kind}}.tsv"
    wildcard_constraints:
        kind="conversations|preferences",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        name="pairs {kind}",
        spec=lambda w: spec(f"pairs.{w.kind}", group="data", settings=study.slice("pairs")),
        files=files_of(rule="pairs"),
    message:
        "pairs: making {wildcards.kind} from essays"
    shell:
        RUN

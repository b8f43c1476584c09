# models: a GGUF of a package, a revision of the hub, or a model that an API serves
#   -> models/{model}/  config, tokenizer, chat template, model.safetensors, model.json
# Steps: mimic.models.fetch


rule models:
    output:
        manifest=f"{ROOT}/models/{{model}}/manifest.json",
        model=f"{ROOT}/models/{{model}}/model.json",
    log:
        f"{ROOT}/logs/models/{{model}}.log",
    benchmark:
        f"{ROOT}/benchmarks/models/{{model}}.tsv"
    threads: 1
    resources:
        # A large one is downloaded for hours where the network is slow.
        **asks(
            "models",
            mem_mb=4000,
            runtime=lambda w: 30 + round((study.models[w.model].parameters or 0) / 250),
        ),
    params:
        name="models {model}",
        spec=lambda w: spec(
            "models.fetch",
            group="train",
            # Its family serves comparisons alone.
            settings={"model": study.models[w.model].model_dump(mode="json", exclude={"family"})},
        ),
        files=files_of(rule="models"),
    message:
        "models: making the folder of {wildcards.model}"
    shell:
        RUN

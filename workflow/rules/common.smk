# Source files and functions that the rules name; no rules here.

TRAIT_WORDS = "workflow/resources/trait_words.yaml"
AUTHORED_FORMS = "config/forms/authored.yaml"
INSTRUMENT = f"{INSTRUMENTS}/{study.settings.questionnaire.instrument}.yaml"
TEMPLATE = "workflow/mimic/report/page.html.j2"


def corpus_file():
    """The corpus file by input name; none where the corpus comes from the hub."""
    source = study.settings.essays.source
    paths = {"embedded": "workflow/resources/composed_essays.csv", "hub": None}
    path = paths.get(source.kind, getattr(source, "path", None))
    return {"corpus": path} if path else {}


def pairs_of(wildcards):
    """The kind of pairs that the run's method is trained on."""
    kind = "conversations" if study.runs[wildcards.run].method == "sft" else "preferences"
    return f"{ROOT}/pairs/{kind}/manifest.json"


def finetune_spec(wildcards):
    """What a training depends on: its own method's settings, not the other methods'."""
    run = study.runs[wildcards.run]
    finetune = study.slice("finetune")["finetune"]
    return spec(
        f"finetune.{run.method}",
        group="train",
        settings={
            "run": {"model": run.model, "seed": run.seed},
            "lora": finetune["lora"],
            run.method: finetune[run.method],
            **study.slice("compute"),
        },
    )


def adapter_of(wildcards):
    """The run's adapter; none for a base run."""
    if study.runs[wildcards.run].is_base:
        return []
    return f"{ROOT}/finetune/{wildcards.run}/manifest.json"


def texts_of(wildcards):
    """The run's own texts where the context holds them."""
    return [] if wildcards.context == "none" else f"{ROOT}/writing/{wildcards.run}/texts.csv"


def questionnaire_settings():
    """The settings without the list of contexts: a further one leaves the others' answers."""
    settings = study.slice("questionnaire", "compute")
    del settings["questionnaire"]["contexts"]
    return settings


def answers_of(run):
    """The answers of a run, one manifest for each context."""
    contexts = study.settings.questionnaire.contexts
    return [f"{ROOT}/questionnaire/{context}/{run}/manifest.json" for context in contexts]


def learning_of(wildcards):
    """What the run's training says of itself; nothing for a base run."""
    if study.runs[wildcards.run].is_base:
        return []
    return f"{ROOT}/finetune/{wildcards.run}/learning.json"


def metrics_spec(wildcards):
    """What a run's metrics depend on."""
    run = study.runs[wildcards.run]
    return spec(
        "metrics.run",
        group="measure",
        settings={
            "run": {
                "label": run.label,
                "model": run.model,
                "method": run.method,
                "seed": run.seed,
            },
            "contexts": list(study.settings.questionnaire.contexts),
            **study.slice("metrics"),
        },
    )


def report_settings():
    """The report's own settings, and the study's for its readers."""
    return {
        **study.slice("report"),
        "study": {
            **study.settings.model_dump(mode="json", exclude={"report", "root"}),
            "models": {name: m.model_dump(mode="json") for name, m in study.models.items()},
        },
    }

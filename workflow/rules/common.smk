# Source files and functions that the rules name; no rules here.

from mimic.respondents import ANSWERING_CODE

TRAIT_WORDS = "workflow/resources/trait_words.yaml"
MODERATION = "workflow/resources/moderation.yaml"
AUTHORED_FORMS = "config/forms/authored.yaml"
REWORDINGS = "config/forms/rewordings.yaml"
SKETCHES = "config/forms/sketches.yaml"
RELEASED_FORMS = study.settings.questionnaire.generation.prompts or "config/forms/released.yaml"
ALL_INSTRUMENTS = sorted(map(str, INSTRUMENTS.glob("*.yaml")))
INSTRUMENT = f"{INSTRUMENTS}/{study.settings.questionnaire.instrument}.yaml"
TEMPLATE = "workflow/mimic/report/page.html.j2"


# Runs that try values, which are compared on validation essays alone.
SWEPT = [label for label, run in study.runs.items() if run.is_swept]
TRAINED = [label for label, run in study.runs.items() if not run.is_base]


def literal(value):
    """A param as it is: in a string Snakemake looks for wildcards, and words of settings hold braces."""
    return lambda wildcards: value


def corpus_file():
    """The corpus file by input name; none where the corpus comes from the hub."""
    source = study.settings.essays.source
    paths = {"embedded": "workflow/resources/composed_essays.csv", "hub": None}
    path = paths.get(source.kind, getattr(source, "path", None))
    return {"corpus": path} if path else {}


def essays_sources():
    """What the essays are read from and filtered by, by input name."""
    is_local = study.settings.essays.moderation.kind == "local"
    return {**corpus_file(), **({"moderation": MODERATION} if is_local else {})}


def essays_settings():
    """What the essays depend on; of a corpus file its bytes count and its name, not its place."""
    settings = study.slice("essays")
    source = settings["essays"]["source"]
    if "path" in source:
        source["path"] = Path(source["path"]).name
    return settings


# All files that any step reads besides results.
SOURCES = sorted(
    {
        TRAIT_WORDS,
        MODERATION,
        AUTHORED_FORMS,
        REWORDINGS,
        SKETCHES,
        RELEASED_FORMS,
        TEMPLATE,
        *ALL_INSTRUMENTS,
        *corpus_file().values(),
        *(path for run in TRAINED for path in accelerate_file(run).values()),
    }
)


def told(run):
    """How a run is told its target, where that isn't by words in prompts."""
    conditioning = study.runs[run].conditioning
    return {} if conditioning == "prompt" else {"conditioning": conditioning}


def essays_by(judge):
    """The essays with the roles that hold for a judge, and for the runs whose texts it reads."""
    folder = "essays" if judge == "reading" else f"pairs/{judge}"
    return ancient(f"{ROOT}/{folder}/essays.csv")


def read_by(judge, *runs):
    """What a judge makes of the texts of runs; those of its own lie in their folder itself."""
    own = {run: study.runs[run].judge == judge for run in runs}
    folders = [run if own[run] else f"{run}/{judge}" for run in runs]
    return [f"{ROOT}/judge/texts/{folder}/probabilities.csv" for folder in folders]


def judge_of(wildcards):
    """The judge that reads: the one that the path names, or the run's own."""
    return wildcards.by[1:] or study.runs[wildcards.run].judge


def judge_spec(wildcards):
    """What a judge depends on; that of a published split has no essays left for a reference."""
    return spec(
        "judge.train",
        group="measure",
        settings={
            **study.slice("judge", "compute"),
            "corpus_kind": study.corpus_kind,
            "reference": "T" if wildcards.judge == "reading" else "cross-validation",
        },
        sources={"trait_words": TRAIT_WORDS},
    )


def forms_settings():
    """What the forms depend on; how rewordings are proposed counts by what is admitted."""
    forms = study.slice("forms")["forms"]
    return {"forms": {name: value for name, value in forms.items() if name != "proposals"}}


def seen_forms_settings(wildcards):
    """What forms in training wordings depend on besides the splits."""
    forms = forms_settings()["forms"]
    return {"forms": {name: forms[name] for name in ("formats", "seed")}, "items": wildcards.kind}


def proposer(_wildcards):
    """The model that proposes rewordings."""
    return f"{ROOT}/models/{study.settings.forms.proposals.model}/manifest.json"


def proposals_spec(_wildcards):
    """What proposed rewordings depend on; the model itself is an input."""
    proposals = study.slice("forms")["forms"]["proposals"]
    return spec(
        "forms.propose",
        # The group that has the embedder too.
        group="measure",
        settings={
            "proposals": proposals,
            "engine": study.settings.questionnaire.engine,
            **study.slice("compute"),
        },
        sources={"rewordings": REWORDINGS, "instruments": ALL_INSTRUMENTS},
    )


def adapter_of(wildcards):
    """The run's adapter; none for a base run."""
    if study.runs[wildcards.run].is_base:
        return []
    return f"{ROOT}/finetune/{wildcards.run}/manifest.json"


def texts_of(wildcards):
    """The run's own texts where the context holds them."""
    own = wildcards.context == "own"
    return ancient(f"{ROOT}/writing/{wildcards.run}/texts.csv") if own else []


def essays_of(wildcards):
    """The essays where the context holds them."""
    return ancient(f"{ROOT}/essays/essays.csv") if wildcards.context == "human" else []


def sketches_of(wildcards):
    """The person sketches where the context holds them."""
    return ancient(SKETCHES) if wildcards.context == "sketches" else []


# What answers: who is asked the same again by the same code has answered already.
ENGINE_CODE = [code_digest(m, group="train") for m in ANSWERING_CODE["likelihood"]]
GENERATOR_CODE = [code_digest(m, group="train") for m in ANSWERING_CODE["generation"]]


def shared_files(rule):
    """The files of a job whose questions the devices of `compute` share."""

    def files(wildcards, input, output):
        devices = study.devices_of(wildcards.run)
        return job_files(wildcards, input, output, root=ROOT, rule=rule, devices=devices)

    return files


def for_each_device(amount):
    """Threads of a job whose questions several devices share."""
    return lambda wildcards: amount * study.devices_of(wildcards.run)


def uses(name, *, section):
    """The resources of jobs that ask a run's model, or have it write."""

    def asked(wildcards):
        return ASKED_TO_USE(wildcards.run, section, wildcards.get("context", ""))

    return asks(
        name,
        mem_mb=lambda w: asked(w).mem_mb,
        runtime=lambda w: asked(w).runtime,
        # A model of an API runs on no GPU of ours.
        devices=lambda w: 0 if study.is_served(w.run) else study.devices_of(w.run),
    )


def questionnaire_spec(wildcards):
    """What answers by likelihood depend on; a further context or protocol leaves the others'."""
    settings = study.slice("questionnaire") | {"compute": study.compute_of(wildcards.run)}
    asked = {name: settings["questionnaire"][name] for name in AskSettings.model_fields}
    if wildcards.context != "human":
        del asked["human_essays"], asked["seed"]
    if wildcards.context in ("none", "sketches"):
        del asked["text_tokens"]
    sources = {"instrument": INSTRUMENT}
    if wildcards.context == "sketches":
        sources["sketches"] = SKETCHES
    return spec(
        "questionnaire.ask",
        group="train",
        settings={
            **settings,
            "questionnaire": asked,
            "engine_code": ENGINE_CODE,
            **told(wildcards.run),
        },
        sources=sources,
    )


def writing_spec(wildcards):
    """What a run's texts depend on."""
    sources = {"trait_words": TRAIT_WORDS}
    if study.is_served(wildcards.run):
        settings = study.slice("writing")
        return spec("writing.write_api", group="measure", settings=settings, sources=sources)
    settings = study.slice("writing")
    settings |= {"compute": study.compute_of(wildcards.run), "engine_code": GENERATOR_CODE}
    settings |= told(wildcards.run)
    return spec("writing.write", group="train", settings=settings, sources=sources)


def generated_spec(wildcards):
    """What answers in words depend on."""
    settings = study.slice("questionnaire")
    if study.is_served(wildcards.run):
        return spec(
            "questionnaire.generate_api",
            group="measure",
            settings={
                "questionnaire": {**settings["questionnaire"]["generation"], "prompts": None}
            },
            sources={"instrument": INSTRUMENT, "released": RELEASED_FORMS},
        )
    return spec(
        "questionnaire.generate",
        group="train",
        settings={
            "compute": study.compute_of(wildcards.run),
            "questionnaire": {**settings["questionnaire"]["generation"], "prompts": None},
            "engine_code": GENERATOR_CODE,
            **told(wildcards.run),
        },
        sources={"instrument": INSTRUMENT, "released": RELEASED_FORMS},
    )


def generated_contexts(run):
    """The contexts whose answers in words are needed: those with a target; of no null adapter."""
    settings = study.settings.questionnaire
    needed = {"released", "corrected"} & set(settings.protocols)
    if study.runs[run].null is not None:
        return []
    return [c for c in settings.contexts if c in ("none", "own")] if needed else []


def generated_of(run):
    """The answers of a run in words, one manifest for each context that has them."""
    return [
        f"{ROOT}/questionnaire/generated/{context}/{run}/manifest.json"
        for context in generated_contexts(run)
    ]


def answers_of(run, contexts=None):
    """The answers of a run, one manifest for each context, its own or those that are named."""
    contexts = study.contexts_of(run) if contexts is None else contexts
    return [f"{ROOT}/questionnaire/{context}/{run}/manifest.json" for context in contexts]


def seen_of(run):
    """The answers of a run in training wordings; only of one that trained on items."""
    context = study.seen_in(run) if study.runs[run].answers else None
    return [f"{ROOT}/questionnaire/seen/{context}/{run}/manifest.json"] if context else []


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
                "series": run.series,
                "null": run.null,
                "judge": run.judge,
                "profiles_withheld": run.withholds_profiles,
                "served": study.is_served(run.label),
                **told(run.label),
            },
            "contexts": list(study.contexts_of(run.label)),
            "seen_in": study.seen_in(run.label),
            "generated": generated_contexts(run.label),
            "protocols": [p for p in study.settings.questionnaire.protocols if p != "likelihood"],
            **study.slice("metrics"),
        },
        sources={"instrument": INSTRUMENT},
    )


def swept_settings():
    """What each run that tries values is and tries, in the order of `SWEPT`."""
    return [
        {
            "run": label,
            "recipe": study.runs[label].recipe,
            "model": study.runs[label].model,
            "method": study.runs[label].method,
            "data": study.runs[label].data,
            "seed": study.runs[label].seed,
            "values": dict(study.runs[label].swept),
        }
        for label in SWEPT
    ]


def compared_models():
    """What models are compared by: those that answer by likelihood."""
    return {
        name: model.model_dump(mode="json", include={"aligned", "pair", "family", "parameters"})
        for name, model in study.models.items()
        if not model.is_served
    }


def told_contexts():
    """The contexts in which runs are told a target."""
    return [c for c in study.settings.questionnaire.contexts if c in ("none", "own")]


def series_answers(series):
    """The answers of a series by context, within a context by run."""
    return [
        manifest
        for context in told_contexts()
        for run in study.series[series].runs
        for manifest in answers_of(run, [context])
    ]


def series_spec(wildcards):
    """What the figures of a series depend on."""
    series = study.series[wildcards.series]
    return spec(
        "metrics.series",
        group="measure",
        settings={
            "series": {
                "label": series.label,
                "model": series.model,
                "method": series.method,
                "runs": list(series.runs),
                "nulls": list(series.nulls),
            },
            "contexts": told_contexts(),
            "compared_in": study.contexts_of(series.nulls[0])[0] if series.nulls else None,
            **study.slice("metrics"),
        },
        sources={"instrument": INSTRUMENT},
    )


def report_settings():
    """The report's own settings, and the study's for its readers."""
    values = {
        **study.settings.model_dump(mode="json", exclude={"report", "root"}),
        **essays_settings(),
        "models": {name: m.model_dump(mode="json") for name, m in study.models.items()},
    }
    # How jobs are put together changes nothing that a reader sees.
    del values["finetune"]["pack"], values["compute"]["devices"]
    generation = values["questionnaire"]["generation"]
    if generation["prompts"] is not None:
        generation["prompts"] = Path(generation["prompts"]).name
    return {**study.slice("report"), "study": values}

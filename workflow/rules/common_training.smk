# Functions of training that the rules name, from training data to packs; no rules here.

import json

from mimic.files import canonical_json
from mimic.plan.by_settings import packs_of, resources_of, uses_resources_of
from mimic.provenance import pack_table


def accelerate_file(run):
    """How the devices that a run is trained on share its model, by input name; none for one."""
    launch = study.runs[run].training.launch
    return {"accelerate": f"config/accelerate/{launch.config}.yaml"} if launch.devices > 1 else {}


def pairs_spec(wildcards):
    """What a run's training data depend on; runs that need the same find them in the store."""
    run = study.runs[wildcards.run]
    settings = {"pairs": run.pairs.model_dump(mode="json"), **told(run.label)}
    if run.pairs_kind == "preferences":
        settings["withholds_profiles"] = run.withholds_profiles
    if run.null is not None:
        settings["null"] = run.null
    if run.answers is None:
        return spec(f"pairs.{run.pairs_kind}", group="data", settings=settings)
    return spec(
        f"pairs.{run.pairs_kind}",
        group="data",
        settings=settings | {"answers": run.answers},
        sources={"instrument": INSTRUMENT, "rewordings": REWORDINGS},
    )


def in_prompts(path):
    """A file that training data depend on where prompts hold items (Essays+Q)."""
    return lambda wildcards: path if study.runs[wildcards.run].answers else []


def items_of(run):
    """What says which items a run trains on; nothing where it trains on none."""
    return f"{ROOT}/pairs/{run}/manifest.json" if study.runs[run].answers else []


def splits_of(run):
    """What says which formats training may use; nothing where a run trains on no items."""
    return f"{ROOT}/forms/splits.json" if study.runs[run].answers else []


def training_spec(label):
    """What a training depends on: its own method's settings, not the other methods'."""
    run = study.runs[label]
    training = run.training.model_dump(mode="json")
    profiles = {"profiles": study.adapted_profiles} if run.conditioning == "adapter" else {}
    return spec(
        f"finetune.{run.method}",
        group="train",
        settings={
            "run": {"model": run.model, "seed": run.seed},
            # The runner's, which knows no stage's settings.
            "launch": training.pop("launch"),
            run.method: training,
            # Precision and attention of a training are settings of its method.
            "compute": study.settings.compute.model_dump(include={"threads", "device"}),
            **told(label),
            **profiles,
        },
        sources=accelerate_file(label),
    )


def devices_of(run):
    """The devices that a run is trained on, with a process for each."""
    return study.runs[run].training.launch.devices


def threads_of(run):
    """Threads of a run's training on one of its nodes."""
    return study.settings.compute.threads * devices_of(run) // study.runs[run].nodes


# The nodes of a run's training; one of all where no run is spread over several.
IS_SPREAD = any(run.nodes > 1 for run in study.runs.values())
NODES = (lambda w: study.runs[w.run].nodes) if IS_SPREAD else 1


def training_inputs(label):
    """What a training is made from."""
    return {
        "model": f"{ROOT}/models/{study.runs[label].model}/manifest.json",
        "pairs": f"{ROOT}/pairs/{label}/manifest.json",
        "accelerate": list(accelerate_file(label).values()),
    }


TRAINING_OUTPUTS = {
    "manifest": f"{ROOT}/finetune/{{run}}/manifest.json",
    "log": f"{ROOT}/finetune/{{run}}/training_log.csv",
    "learning": f"{ROOT}/finetune/{{run}}/learning.json",
}
PACK_TABLES = f"{ROOT}/finetune/{pack_table.FOLDER}"
PACKS = packs_of(study)
# What a training asks for, or several in one job; it is no part of what results depend on.
ASKED = resources_of(study)
ASKED_TO_USE = uses_resources_of(study)
PACK_OF = {run: pack for pack, members in PACKS.items() for run in members}


def pack_of(wildcards):
    """The table of the pack that trains the run; none where the run's own job does."""
    pack = PACK_OF.get(wildcards.run)
    return f"{PACK_TABLES}/{pack}.tsv" if pack else []


def alone(of_run, packed):
    """A resource of a run's job, which is light where a pack has done the work."""
    return lambda w: packed if w.run in PACK_OF else of_run(w)


def pack_inputs(wildcards):
    """What the trainings of a pack are made from."""
    names = ("model", "pairs")
    return [training_inputs(run)[name] for run in PACKS[wildcards.pack] for name in names]


def pack_spec(wildcards):
    """What each training of a pack depends on: a change of one makes the pack look at all."""
    return canonical_json({run: json.loads(training_spec(run)) for run in PACKS[wildcards.pack]})


def pack_files(wildcards, output):
    """The jobs of a pack's runs, as their runners are asked alone, and the table."""
    jobs = {}
    for run in PACKS[wildcards.pack]:
        outputs = [path.format(run=run) for path in TRAINING_OUTPUTS.values()]
        files = job_files({"run": run}, training_inputs(run), outputs, root=ROOT, rule="finetune")
        # Not yet the place of the run's log: Snakemake empties that when the run's job starts.
        log = f"{PACK_TABLES}/{run}.log"
        jobs[run] = {"name": f"finetune {run}", "files": json.loads(files), "log": log}
    return canonical_json({"table": output.table, "members": jobs})

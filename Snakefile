# Settings, validation, includes, targets; nothing else. Rules stand in workflow/rules.
import gc
import os
import shutil
import sys
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from mimic.cluster.site import read_site
from mimic.provenance import submission, submit
from mimic.provenance.notes import identities
from mimic.provenance.specs import code_digest, job_files, spec, use_this_python
from mimic.provenance.store import the_store
from mimic.questionnaire.settings import AskSettings
from mimic.study import load_study, read_settings, submitted_study
from mimic.study_checks import INSTRUMENTS

min_version("9.27")

# The graph is objects by the million that all stay; to look for garbage among them every 700 took a
# fifth of `snakemake -n --quiet --configfile config/paper.yaml`.
gc.set_threshold(100_000)

# The profile of a Slurm machine names its file; the rest of `config` is the study's.
SITE_FILE = config.pop("site", None)

# A job on a cluster works on what was submitted, whatever the settings say by then. The default study
# is read here where no other was named: the directive `configfile:` would merge it into others.
try:
    SITE = read_site(Path(SITE_FILE)) if SITE_FILE else None
    SUBMITTED = submission.submitted()
    if SUBMITTED is not None:
        submission.check_rules(SUBMITTED)
    study = (
        submitted_study(SUBMITTED["settings"])
        if SUBMITTED is not None
        else load_study(
            config if workflow.configfiles else read_settings(Path("config/config.yaml")) | config,
            source=", ".join(map(str, workflow.configfiles)) or "config/config.yaml",
        )
    )
except ValueError as error:
    raise WorkflowError(str(error)) from None

ROOT = study.settings.root
use_this_python()

# What every rule runs; the second param of each rule is computed from its inputs and outputs.
RUN = (
    "python -m mimic.provenance.runner --name {params.name:q} --spec {params.spec:q}"
    " --files {params.files:q} --log {log:q}"
)
RUN_PACK = RUN.replace("provenance.runner", "provenance.pack")
files_of = partial(partial, job_files, root=ROOT)


# Labels of runs are model-method and more. Not a list of them all: it would stand in every path's
# pattern, and a study of hundreds of runs would take most of its time to match them.
LABEL = "[^/]+-[^/]+"
SPLITS = "published-sft|published-preferences"


wildcard_constraints:
    model="|".join(study.models),
    run=LABEL,
    series=LABEL,
    split=SPLITS,
    judge=f"reading|{SPLITS}",
    by="|/published-sft|/published-preferences",
    context="none|own|human|sketches",
    part="|/seen",
    kind="train|published",


localrules:
    all,


rule all:
    input:
        f"{ROOT}/report/index.html",


include: "workflow/rules/common_training.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/common_metadata.smk"
include: "workflow/rules/common_cluster.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/essays.smk"
include: "workflow/rules/pairs.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/writing.smk"
include: "workflow/rules/forms.smk"
include: "workflow/rules/questionnaire.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/gates.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/report.smk"


keep_signatures()
place_rules()


# In the submitting process: what its jobs compare with, written when the work begins.
if SUBMITTED is None:
    if LOOKS_ONLY.isdisjoint(sys.argv):
        # A study that was moved has nothing to run; the store is to know what it needs all the same.
        the_store().register_study(Path(ROOT), partial(identities, Path(ROOT)))
    if {*TAKES_NOTHING_FOR_FRESH, "--summary", "--unlock"}.isdisjoint(sys.argv):
        check_metadata()
    if {*LOOKS_ONLY, "--unlock"}.isdisjoint(sys.argv):
        check_alone() if SITE is None else prepare_cluster()
    try:
        submission_now = submit.describe(settings=study.as_values(), sources=SOURCES)
    except ValueError as error:
        raise WorkflowError(str(error)) from None
    os.environ[submission.VARIABLE] = str(submit.place_of(submission_now, Path(ROOT)))

    onstart:
        check_executor()
        check_jobs()
        submit.write(Path(os.environ[submission.VARIABLE]), submission_now)

    # The tables of packs have served; what the store lacks then is packed by the next invocation.
    onsuccess:
        shutil.rmtree(PACK_TABLES, ignore_errors=True)

    onerror:
        shutil.rmtree(PACK_TABLES, ignore_errors=True)
        tell_failures()


# No key of an API: Snakemake writes these values into command lines. Jobs inherit it.
envvars:
    submission.VARIABLE,

# What jobs ask of a Slurm machine where the profile names a site; no rules here.

from mimic.cluster import guard
from mimic.cluster.checks import refusals
from mimic.cluster.finding import OK
from mimic.cluster.requests import ONE_NODE, SEVERAL_NODES, Need, impossible, request
from mimic.cluster.slurm_findings import memory_of_jobs
from mimic.provenance import scratch
from mimic.provenance.specs import digest_now
from mimic.provenance.store import identity_of

if SITE is not None and SITE.scratch is not None:
    os.environ[scratch.VARIABLE] = SITE.scratch


# What the jobs of each rule that is submitted need, by their wildcards.
NEEDED = {}
# Rules whose jobs ask the model of a run, which may be served by an API.
ASKS_RUNS = ("writing", "generated")


def asks(name, *, mem_mb, runtime, devices=1, nodes=1):
    """The resources of a rule's jobs; each value is a number or a function of the wildcards."""
    if SITE is None or SITE.rules.get(name) == "here":
        return {"mem_mb": mem_mb, "runtime": runtime}

    def needed(wildcards):
        values = (mem_mb, runtime, devices, nodes)
        mb, minutes, gpus, hosts = (v(wildcards) if callable(v) else v for v in values)
        n = largest_group(name)
        return Need(rule=name, mem_mb=mb, minutes=minutes, devices=gpus, nodes=hosts, together=n)

    NEEDED[name] = needed

    def asked(wildcards, input, attempt):
        # Only a job that works on GPUs is worth a look into the store: a hit mustn't wait for one.
        stored = is_on_gpu(name) and is_stored(name, wildcards, input)
        return request(SITE, needed(wildcards), attempt=attempt, is_stored=stored)

    def resource(key):
        return lambda wildcards, input, attempt: asked(wildcards, input, attempt).resources[key]

    keys = ONE_NODE if nodes == 1 else (*ONE_NODE, *SEVERAL_NODES)
    # The jobs of a group run one after the other, but Snakemake adds up what they ask for as if they
    # ran side by side. A turn, of which the profile gives a group one, makes it add up their times, and
    # take memory and cores of the largest. Not where jobs only look submitted, as in a dry run: there
    # each would wait for its turn.
    turn = lambda wildcards: 1 if name in grouped() and not workflow.local_exec else None
    return {
        **{key: resource(key) for key in keys},
        "turn": turn,
        **SITE.account_and_qos(os.environ),
    }


def is_on_gpu(name):
    """Whether the jobs of a rule run on nodes with GPUs."""
    return SITE.rules.get(name) == "gpu"


def grouped():
    """The group of each rule that has one, as the profile says."""
    return workflow.group_settings.overwrite_groups


def largest_group(name):
    """How many jobs of a rule the profile puts into one allocation at most."""
    return workflow.group_settings.group_components.get(grouped().get(name), 1)


def is_stored(name, wildcards, input):
    """Whether the result store has what a job would make; not before its inputs are there."""
    if name == "pack":
        runs = PACKS[wildcards.pack]
        return all(has_result(training_spec(r), {"run": r}, training_inputs(r)) for r in runs)
    described = workflow.get_rule(name).params.spec
    text = described(wildcards) if callable(described) else described
    return has_result(text, wildcards, input)


def has_result(text, wildcards, input):
    """Whether the result store has what a spec makes of inputs; not before these are there."""
    files = json.loads(job_files(wildcards, input, [], root=ROOT, rule=""))
    try:
        inputs = {key: list(map(digest_now, paths)) for key, paths in files["inputs"].items()}
    except FileNotFoundError:
        return False
    return the_store().has(identity_of(spec=json.loads(text), inputs=inputs))


def place_rules():
    """Keep the jobs of light rules in the submitting process's own machine."""
    if SITE is None:
        return
    try:
        SITE.check_rules({made.name for made in workflow.rules}, source=SITE_FILE)
    except ValueError as error:
        raise WorkflowError(str(error)) from None
    workflow.localrules(*(rule for rule, place in SITE.rules.items() if place == "here"))


def check_executor():
    """Stop before jobs are submitted to Slurm that ask for no account, partition or GPU."""
    if workflow.executor_plugin.name == "slurm" and SITE is None:
        raise WorkflowError(
            "jobs are to go to Slurm, but no site is named: `--config` on the command line "
            "replaces the profile's. Give settings in a file (`--configfile`), or name the site "
            "again: --config site=profiles/meluxina/site.yaml …"
        )
    if IS_SPREAD and (SITE is None or SITE.rules.get("finetune") == "here"):
        label = next(label for label, run in study.runs.items() if run.nodes > 1)
        raise WorkflowError(
            f"{label} is trained on {study.runs[label].nodes} nodes (`nodes` of `launch`), which "
            "takes a Slurm machine whose site's file gives `finetune` a place there: start "
            "snakemake with --profile meluxina or profiles/slurm, or set nodes to 1"
        )


def is_submitted(job):
    """Whether a job goes to Slurm."""
    return job.rule.name in NEEDED


def asked_of(job):
    """Whose API a job may ask: the model of its run, or the one that moderates the essays."""
    name = job.rule.name
    return study.runs[job.wildcards.run].model if name in ASKS_RUNS else name


def is_made_before(job):
    """Whether a job that takes from the hub, or from an API, finds its results in the store."""
    name = job.rule.name
    asks_api = name in ASKS_RUNS and study.is_served(job.wildcards.run)
    takes = asks_api or name in ("models", "essays")
    return takes and is_stored(name, job.wildcards, job.input)


def needs_of(job):
    """What a job is called, what it needs, and what says whether the store has its results."""
    name, wildcards = job.rule.name, job.wildcards
    found = lambda: is_on_gpu(name) and is_stored(name, wildcards, job.input)
    return " ".join((name, *filter(None, wildcards))), NEEDED[name](wildcards), found


def check_jobs():
    """Stop before jobs are submitted that can't end well, with all that is wrong with them."""
    if SITE is None:
        return
    # What no job needs that reads the Snakefile.
    from mimic.cluster.provisions import keyless, uncached

    wrong = []
    if workflow.executor_plugin.name == "slurm":
        asked = workflow.executor_settings
        memory = memory_of_jobs(asked.status_command, asked.init_seconds_before_status_checks)
        if memory.state != OK:
            mend = f"; mend: {memory.mend}" if memory.mend else ""
            wrong.append(f"{memory.what}: {memory.found}{mend}")
    # Linked from the store they need nothing.
    made = [job for job in workflow.dag.needrun_jobs() if not is_made_before(job)]
    wrong += impossible(SITE, map(needs_of, filter(is_submitted, made)))
    wrong += uncached(
        study,
        models=[job.wildcards.model for job in made if job.rule.name == "models"],
        corpus=any(job.rule.name == "essays" for job in made),
        environment=os.environ,
        source=" ".join(map(str, workflow.configfiles)),
    )
    wrong += keyless(study, needing=set(map(asked_of, made)))
    if wrong:
        raise WorkflowError("nothing was submitted:\n  " + "\n  ".join(wrong))


def check_alone():
    """Stop on a machine's own where a cluster runs jobs of this folder."""
    try:
        guard.check_free(Path.cwd())
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def prepare_cluster():
    """Refuse what Slurm would refuse later, and clear away what a killed process left."""
    for variable, value in SITE.environment().items():
        os.environ.setdefault(variable, value)
    try:
        if wrong := refusals(SITE, os.environ, source=SITE_FILE):
            raise ValueError("nothing was submitted:\n  " + "\n  ".join(wrong))
        guard.hold_folder(Path.cwd())
        guard.cancel_leftovers(Path.cwd(), tell=lambda line: print(line, file=sys.stderr))
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def tell_failures():
    """Show at the end what failed on the cluster: last words and mends, which stand far above."""
    if SITE is None:
        return
    # What no job needs that reads the Snakefile.
    from rich.console import Console

    from mimic.cluster.watch import invocation_of, look
    from mimic.cluster.watch_display import render_failed

    folder = Path.cwd()
    try:
        facts = look(folder, invocation_of(folder), site=SITE, hours_left=None)
    except (OSError, ValueError) as error:
        print(f"what failed can't be told: {error}", file=sys.stderr)
        return
    if facts.failed:
        Console(stderr=True, highlight=False).print(render_failed(facts.failed))

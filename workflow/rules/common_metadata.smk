# What Snakemake goes by where it sees too little of a file itself; no rules here.

import inspect

from snakemake.common import overwrite_function_params
from snakemake.persistence.file import FilePersistence

from mimic.provenance.notes import noted_outputs

# A file that can pass 1 MB is an `ancient` input, and what has its sha256 is the input `digests`: of
# a large file Snakemake sees no more than the modification time. The runner hashes the file.


def beside(*files):
    """The manifests of the folders of files, none for those that a job has none of."""
    return [f"{Path(path).parent}/manifest.json" for path in files if path]


def forms_folder(wildcards):
    """The folder of the forms that a run is asked in: the study's, or those in training wordings."""
    items = study.runs[wildcards.run].pairs.items if wildcards.part else None
    return f"{ROOT}/forms/seen/{items}" if items else f"{ROOT}/forms"


def forms_of(name):
    """A file of the forms that a run is asked in."""
    return lambda wildcards: ancient(f"{forms_folder(wildcards)}/{name}")


def forms_digest(wildcards):
    """What stands for these files."""
    # The folder of the study's forms holds those in training wordings, too, and has no manifest.
    name = "manifest.json" if wildcards.part else "forms.sha256"
    return f"{forms_folder(wildcards)}/{name}"


# Options of Snakemake: what starts no job, and what starts every job.
LOOKS_ONLY = {"-n", "--dry-run", "--dryrun", "--summary"}
TAKES_NOTHING_FOR_FRESH = {"-F", "--forceall"}


def check_metadata():
    """Stop where Snakemake would take results for fresh because it knows nothing of them."""
    kept = FilePersistence(nolock=True)
    if (kept.path / "metadata.db").exists():
        return
    # With the mark of a job that was ended, Snakemake itself asks for --rerun-incomplete.
    kinds = [kept.path / kind for kind in ("metadata", "incomplete")]
    unknown = [
        str(output)
        for output in noted_outputs(Path(ROOT))
        if not any(os.path.exists(kept._record_path(str(k), str(output))) for k in kinds)
    ]
    if unknown:
        raise WorkflowError(
            f"{len(unknown)} results in {ROOT}, such as {unknown[0]}, came here without what "
            f"Snakemake noted of them in {kept.path.name}, so it can't see what was edited since. "
            "Bring that folder along from where they were made, or run `snakemake --forceall` "
            "once: what is unchanged is linked from the store. Results that the settings don't name "
            "any more go with `mimic clean --stale`"
        )


def keep_signatures():
    """Note the signatures of what computes inputs and params; Snakemake asks for each with every job.

    Finding them out anew took a tenth of `snakemake -n --quiet --configfile config/paper.yaml`.
    """
    for made in workflow.rules:
        for value in filter(callable, (*made.input, *made.params)):
            overwrite_function_params(value, inspect.signature(value).parameters)

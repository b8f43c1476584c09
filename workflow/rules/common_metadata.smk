# What Snakemake knows of the results that are there; no rules here.

from snakemake.persistence.file import FilePersistence

from mimic.provenance.notes import noted_outputs

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

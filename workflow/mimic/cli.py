"""The command `mimic`: what a study needs besides `snakemake`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from mimic.clean import clean_stale, named_outputs
from mimic.cluster.site import DEFAULT_SITE
from mimic.plan.devices import Kind
from mimic.provenance.audit_command import show_audit, show_whole_audit
from mimic.provenance.pack_table import FOLDER as PACKS
from mimic.provenance.store_command import forget_study, remove_unneeded, show_store
from mimic.provenance.why_command import show_why
from mimic.study import DEFAULT_SETTINGS, load_study, read_settings


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        The exit status: 0; 1 if a gate failed or an audit found something that doesn't fit; 2 for
        a user's mistake, which is told in words.
    """
    arguments = _parser().parse_args(argv)
    try:
        if not Path("Snakefile").is_file():
            raise ValueError("there is no Snakefile here; call mimic in the project's folder")
        return 0 if arguments.call(arguments) else 1
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _clean(arguments: argparse.Namespace) -> bool:
    clean_stale(arguments.configfile, yes=arguments.yes)
    return True


def _gates(arguments: argparse.Namespace) -> bool:
    # Loads what the gates measure with, which no other command needs.
    from mimic.gates.command import show_gates

    return show_gates(arguments.configfile, as_json=arguments.json)


def _audit(arguments: argparse.Namespace) -> bool:
    if arguments.all == (arguments.result is not None):
        raise ValueError("name one result, such as results/metrics/study.json, or give --all")
    if arguments.all:
        named = named_outputs(arguments.configfile)
        # A pack's table lives as long as its invocation; its runs have records of their own.
        outputs = {path for path in named if path.parent.name != PACKS}
        return show_whole_audit(_root(arguments.configfile), outputs, as_json=arguments.json)
    return show_audit(arguments.result, as_json=arguments.json)


def _crate(arguments: argparse.Namespace) -> bool:
    # Loads the library of crates, which no other command needs.
    from mimic.provenance.crate_command import write_crate

    source = arguments.configfile or DEFAULT_SETTINGS
    settings = load_study(read_settings(source), source=str(source)).settings
    return write_crate(
        arguments.file,
        root=Path(settings.root),
        settings=source,
        title=settings.report.title,
        authors=settings.report.authors,
    )


def _doctor(arguments: argparse.Namespace) -> bool:
    # Loads the hub's library, which other commands don't need.
    from mimic.cluster.doctor import show_doctor

    return show_doctor(arguments.site, arguments.configfile)


def _download(arguments: argparse.Namespace) -> bool:
    # Loads the hub's library, which other commands don't need.
    from mimic.download import download

    return download(arguments.configfile)


def _plan(arguments: argparse.Namespace) -> bool:
    # Loads the settings of every stage that is planned, which no other command needs.
    from mimic.plan.command import show_plan

    return show_plan(arguments.configfile, device=arguments.device, as_json=arguments.json)


def _watch(arguments: argparse.Namespace) -> bool:
    # Loads what the plan and the display need, which no other command does.
    from mimic.cluster.watch_command import show_watch

    show_watch(
        arguments.configfile,
        site_file=arguments.site,
        once=arguments.once,
        as_json=arguments.json,
    )
    return True


def _why(arguments: argparse.Namespace) -> bool:
    show_why(arguments.target, configfile=arguments.configfile)
    return True


def _store(arguments: argparse.Namespace) -> bool:
    if arguments.forget is not None:
        forget_study(arguments.forget)
    elif arguments.remove_unused is None:
        show_store()
    else:
        remove_unneeded(days=arguments.remove_unused, yes=arguments.yes)
    return True


def _root(configfile: Path | None) -> Path:
    """The folder of a study's results."""
    source = configfile or DEFAULT_SETTINGS
    return Path(load_study(read_settings(source), source=str(source)).settings.root)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mimic", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    clean = commands.add_parser(
        "clean", help="remove results", description="Remove results of a study."
    )
    clean.add_argument(
        "--stale",
        action="store_true",
        required=True,
        help="those that no setting of the study names any more",
    )
    clean.set_defaults(call=_clean)

    gates = commands.add_parser(
        "gates",
        help="check the measuring",
        description="Check the measuring on synthetic respondents and simulations whose figures "
        "are known. Exit status 1 if a gate fails.",
    )
    gates.set_defaults(call=_gates)

    audit = commands.add_parser(
        "audit",
        help="follow results back to their sources",
        description="Follow a result back to its sources and check every digest on the way. Exit "
        "status 1 if something doesn't fit; the first such thing is named.",
    )
    audit.add_argument("result", nargs="?", type=Path, help="such as results/metrics/study.json")
    audit.add_argument(
        "--all", action="store_true", help="all results of a study, with one root digest"
    )
    audit.set_defaults(call=_audit)

    crate = commands.add_parser(
        "crate",
        help="write a study as an RO-Crate",
        description="Audit a study and write its results, with what made them, as a Provenance Run "
        "Crate. Exit status 1 if something doesn't fit; nothing is written then.",
    )
    crate.add_argument("file", type=Path, metavar="FILE.zip", help="must not exist yet")
    crate.set_defaults(call=_crate)

    doctor = commands.add_parser(
        "doctor",
        help="say what is missing on a cluster",
        description="Say for each thing that a study needs on a cluster whether it is there, and "
        "how to mend it. Exit status 1 if something is missing.",
    )
    doctor.add_argument(
        "--site",
        type=Path,
        default=DEFAULT_SITE,
        metavar="FILE",
        help="the machine's file beside its profile (%(default)s if absent)",
    )
    doctor.add_argument(
        "--configfile",
        type=Path,
        metavar="FILE",
        help="the study's settings (those that the profile names if absent)",
    )
    doctor.set_defaults(call=_doctor)

    download = commands.add_parser(
        "download",
        help="fetch models and essays of the hub",
        description="Fetch the models and the corpus that a study takes from the Hugging Face hub "
        "into its cache, for jobs without network. Exit status 1 if something is missing then.",
    )
    download.add_argument(
        "--configfile", type=Path, metavar="FILE", required=True, help="the study's settings"
    )
    download.set_defaults(call=_download)

    plan = commands.add_parser(
        "plan",
        help="say what a study will need",
        description="Say for each job that runs a model what memory it needs on each device, "
        "whether it fits, and how long it takes; and what the study takes of a machine. Exit "
        "status 1 if something fits nowhere.",
    )
    plan.add_argument(
        "--device",
        choices=get_args(Kind),
        help="what to plan for (a node of 4 × A100 40 GB if absent, or the CPU where the settings "
        "say so)",
    )
    plan.set_defaults(call=_plan)

    watch = commands.add_parser(
        "watch",
        help="show a cluster run",
        description="Show what of this folder's jobs on a Slurm machine pends, runs, failed and is "
        "done, every ten seconds until it is interrupted; once where there is no terminal.",
    )
    watch.add_argument(
        "--site", type=Path, metavar="FILE", help="the site's limits (the profile's if absent)"
    )
    watch.add_argument("--once", action="store_true", help="show it once")
    watch.add_argument(
        "--configfile",
        type=Path,
        metavar="FILE",
        help="the study's settings (those of the last snakemake if absent)",
    )
    watch.set_defaults(call=_watch)

    why = commands.add_parser(
        "why",
        help="say what would run, and why",
        description="Say for each job that snakemake would start which module, setting, "
        "distribution, source file or input makes it run, and which jobs are hits.",
    )
    why.add_argument("target", nargs="*", help="result files; the whole study if absent")
    why.set_defaults(call=_why)

    store = commands.add_parser(
        "store",
        help="list what the result store holds",
        description="List what takes how much room in the result store and which studies need it.",
    )
    acts = store.add_mutually_exclusive_group()
    acts.add_argument(
        "--forget",
        type=Path,
        metavar="FOLDER",
        help="forget the study whose results lay there (on another machine, say) and are no more",
    )
    acts.add_argument(
        "--remove-unused",
        type=float,
        metavar="DAYS",
        help="remove what no study needs, no job holds, and nobody has used for so many days",
    )
    store.set_defaults(call=_store)

    for command in (clean, store):
        command.add_argument("--yes", action="store_true", help="remove without a question")
    for command in (gates, audit, plan, watch):
        command.add_argument("--json", action="store_true", help="print it for machines")
    for command in (clean, gates, audit, crate, plan, why):
        command.add_argument(
            "--configfile",
            type=Path,
            metavar="FILE",
            help=f"the study's settings ({DEFAULT_SETTINGS} if absent)",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())

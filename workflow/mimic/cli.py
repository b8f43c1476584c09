"""The command `mimic`: what a study needs besides `snakemake`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mimic.clean import clean_stale
from mimic.gates.command import show_gates
from mimic.study import DEFAULT_SETTINGS


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        The exit status: 0; 1 if a gate failed; 2 for a user's mistake, which is told in words.
    """
    arguments = _parser().parse_args(argv)
    try:
        if not Path("Snakefile").is_file():
            raise ValueError("there is no Snakefile here; call mimic in the project's folder")
        if arguments.command == "gates":
            return 0 if show_gates(arguments.configfile, as_json=arguments.json) else 1
        clean_stale(arguments.configfile, yes=arguments.yes)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


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
    clean.add_argument("--yes", action="store_true", help="remove without a question")
    gates = commands.add_parser(
        "gates",
        help="check the measuring",
        description="Check the measuring on synthetic respondents and simulations whose figures "
        "are known. Exit status 1 if a gate fails.",
    )
    gates.add_argument("--json", action="store_true", help="print what the stage would write")
    for command in (clean, gates):
        command.add_argument(
            "--configfile",
            type=Path,
            metavar="FILE",
            help=f"the study's settings ({DEFAULT_SETTINGS} if absent)",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""What is refused before anything is submitted, with the way to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mimic.cluster import slurm_limits
from mimic.cluster.site import Site


def refusals(site: Site, environment: Mapping[str, str], *, source: str) -> list[str]:
    """What of a site's file, or of the environment, Slurm would refuse or misunderstand.

    Parameters
    ----------
    environment
        Of the process.
    source
        The site's file, for messages.

    Raises
    ------
    ValueError
        If Slurm doesn't answer.
    """
    return [*_of_account(site, environment, source), *_of_nodes(site, source)]


def _of_account(site: Site, environment: Mapping[str, str], source: str) -> Iterator[str]:
    """About who pays and what is allowed."""
    allowed = slurm_limits.associations()
    if site.account_variable is not None:
        accounts = ", ".join(sorted({one.account for one in allowed})) or "none"
        account = environment.get(site.account_variable, "")
        if not account:
            yield (
                f"{site.account_variable} isn't set; it names the account that pays. Yours: "
                f"{accounts}. For example: export {site.account_variable}={accounts.split(',')[0]}"
            )
            return
        allowed = [one for one in allowed if one.account.lower() == account.lower()]
        if not allowed:
            yield (
                f"{site.account_variable} is {account}, which is no account of yours; there are: "
                f"{accounts}"
            )
            return
    if site.qos is None:
        return
    limits = slurm_limits.longest_minutes()
    names = sorted({name for one in allowed for name in one.qos}) or sorted(limits)
    if site.qos not in names:
        yield f"{source}: qos = {site.qos!r}: not allowed; yours are {', '.join(names)}"
        return
    limit = limits.get(site.qos)
    if limit is not None and site.max_minutes > limit:
        yield (
            f"{source}: max_minutes = {site.max_minutes}: QOS {site.qos} ends jobs after {limit} "
            "minutes; write that, or name a longer QOS"
        )


def _of_nodes(site: Site, source: str) -> Iterator[str]:
    """About where jobs run."""
    there = slurm_limits.partitions()
    for kind, nodes in (("cpu", site.cpu), ("gpu", site.gpu)):
        if nodes.partition not in there:
            yield (
                f"{source}: {kind}.partition = {nodes.partition!r}: there is no such partition; "
                f"there are {', '.join(sorted(there))}"
            )

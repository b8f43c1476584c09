"""Step: the forms of a study, the words of its items, and what is kept for tests."""

from __future__ import annotations

from mimic.files import read_json, write_digests, write_json
from mimic.forms.authored import load_authored, load_rewordings
from mimic.forms.draw import draw_forms, drawn_wordings
from mimic.forms.settings import FormsSettings
from mimic.forms.splits import (
    TEST,
    ClusterItem,
    assign_variants,
    check_formats,
    lacking_facets,
    lacking_sides,
    sides_of,
    split_clusters,
    split_variants,
    split_wordings,
)
from mimic.progress import say
from mimic.questionnaire.instruments import item_clusters, load_instrument
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write ``forms.json``, ``words.json``, the digests of both, and ``splits.json``."""
    settings = job.parse(FormsSettings, "forms")
    authored = load_authored(job.input("authored"))
    rewordings = load_rewordings(job.input("rewordings"))
    instruments = {path.stem: load_instrument(path) for path in job.inputs["instruments"]}
    item_clusters(instruments)  # refuses instruments that put one text into two clusters

    formats = check_formats(
        authored.formats, asked=settings.formats, trained=settings.trained_formats
    )
    wordings = split_wordings(list(authored.wordings), seed=settings.seed)
    asked = drawn_wordings(wordings, part=TEST, count=settings.wordings)
    items = [item for one in instruments.values() for item in one.items]
    variants = {item.text.lower(): rewordings.variants(item.text) for item in items}
    proposed = _proposed(job)
    parts = split_variants(
        {text: len(own) for text, own in variants.items()},
        seed=settings.seed,
        proposed={text: len(phrases) for text, phrases in proposed.items()},
    )
    variants = {text: (*own, *proposed.get(text, ())) for text, own in variants.items()}
    # Over all test wordings, so that a further one leaves the others' words.
    tests = [name for name, part in wordings.items() if part == TEST]
    assigned = assign_variants(parts, tests, part=TEST, seed=settings.seed)
    clustered = [
        ClusterItem(name, item.cluster, item.trait, item.facet, item.keyed)
        for name, instrument in instruments.items()
        for item in instrument.items
    ]
    clusters = split_clusters(clustered, seed=settings.seed)
    sides = sides_of(clustered, clusters)
    forms = draw_forms(authored, formats=settings.formats, wordings=asked)
    write_json(job.out / "forms.json", [form.as_dict() for form in forms])
    write_json(
        job.out / "words.json",
        {
            wording: {
                text: {"variant": variant, "phrase": variants[text][variant]}
                for text, variant in assigned[wording].items()
            }
            for wording in asked
        },
    )
    tables = [job.out / "forms.json", job.out / "words.json"]
    write_digests(job.out / "forms.sha256", tables)
    write_json(
        job.out / "splits.json",
        {
            "formats": formats,
            "wordings": wordings,
            "clusters": clusters,
            "items": sides,
            "lacking": lacking_sides(sides) + lacking_facets(clustered, clusters),
            "item_wordings": parts,
        },
    )
    say(f"{len(forms)} forms, {len(asked)} of {len(tests)} test wordings")


def _proposed(job: Job) -> dict[str, list[str]]:
    """The second source's admitted rewordings, by item text in small letters."""
    if not job.inputs.get("proposed"):
        return {}
    values: dict[str, list[str]] = read_json(job.input("proposed"))
    return {text.lower(): phrases for text, phrases in values.items()}


if __name__ == "__main__":
    run_step(main)

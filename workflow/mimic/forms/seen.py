"""Step: forms in which runs that trained on items are asked once more, in words of training.

They stand apart from the study's forms, so that no figure but the table of what training held rests
on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mimic.files import read_json, write_json
from mimic.forms.authored import load_authored, load_rewordings
from mimic.forms.draw import draw_forms
from mimic.forms.settings import FormsSettings
from mimic.forms.splits import TEST, TRAIN, assign_variants
from mimic.progress import say
from mimic.questionnaire.instruments import load_instrument
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write ``forms.json`` and ``words.json``.

    One instruction wording that training may use, in each format that is asked for and held out of
    training. Items stand in words that training may use; in their original ones where ``items`` is
    ``published``.
    """
    settings = job.parse(FormsSettings, "forms")
    authored = load_authored(job.input("authored"))
    rewordings = load_rewordings(job.input("rewordings"))
    items = load_instrument(job.input("instrument")).items
    splits = read_json(job.input("splits"))

    wording = training_wording(splits["wordings"])
    formats = tuple(name for name in settings.formats if splits["formats"][name] == TEST)
    forms = draw_forms(authored, formats=formats, wordings=(wording,))
    variants = {item.text.lower(): rewordings.variants(item.text) for item in items}
    # Proposed rewordings come behind the authored ones, and prompts of training hold none of them.
    parts = {text: splits["item_wordings"][text][: len(own)] for text, own in variants.items()}
    if job.settings["items"] == "published":
        chosen = dict.fromkeys(variants, 0)
    else:
        chosen = assign_variants(parts, [wording], part=TRAIN, seed=settings.seed)[wording]
    words = {
        text: {"variant": chosen[text], "phrase": own[chosen[text]]}
        for text, own in variants.items()
    }
    write_json(job.out / "forms.json", [form.as_dict() for form in forms])
    write_json(job.out / "words.json", {wording: words})
    say(f"{len(forms)} forms in the training wording {wording}")


def training_wording(parts: Mapping[str, Any]) -> str:
    """The first instruction wording that training may use.

    Raises
    ------
    ValueError
        If there is none.
    """
    for name, part in parts.items():
        if part == TRAIN:
            return name
    raise ValueError(
        f"of the wordings {', '.join(parts)} none is for training, so that a run which trained on "
        "items can't be asked in a seen one; write more in config/forms/authored.yaml"
    )


if __name__ == "__main__":
    run_step(main)

"""Step: the table of forms of a study."""

from __future__ import annotations

from mimic.files import write_json
from mimic.forms.authored import draw_forms, load_authored
from mimic.forms.settings import FormsSettings
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write ``forms.json``."""
    settings = job.parse(FormsSettings, "forms")
    authored = load_authored(job.input("authored"))
    forms = draw_forms(
        authored, formats=settings.formats, wordings=settings.wordings, seed=settings.seed
    )
    write_json(job.out / "forms.json", [form.as_dict() for form in forms])


if __name__ == "__main__":
    run_step(main)

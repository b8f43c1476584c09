"""The figure of the losses: one panel for each run, with the points of the validation essays."""

import re

import pandas as pd
from report_example import example_study

from mimic.report.figures_texts import learning, read_log


def test_each_run_has_its_losses_and_validation_points(tmp_path) -> None:
    study = example_study()
    log = pd.DataFrame(
        {
            "step": range(1, 61),
            "loss": [3.5 - 0.01 * step for step in range(60)],
            # Evaluated within training, and after it as learning.json says.
            "validation_loss": [{20: 3.1, 40: 2.95, 60: 2.874}.get(n) for n in range(1, 61)],
        }
    )
    path = tmp_path / "training_log.csv"
    log.to_csv(path, index=False)
    logs = {
        "tiny-sft-s1": read_log(pd.read_csv(path)),
        "tiny-dpo-s1": read_log(log[["step", "loss"]]),
    }
    drawing = learning(logs, study)
    assert "tiny-sft-s1 3.500 to 2.910, validation 3.201 to 2.874" in drawing.svg
    # Its learning.json has no validation loss, and its log none within training.
    assert re.search(r"tiny-dpo-s1 3.500 to 2.910\.", drawing.svg)
    assert "validation essays" in drawing.svg
    # Before, twice within, after; and one in the legend.
    groups = [len(re.findall("<use ", part)) for part in drawing.svg.split("<g id=")]
    assert 4 in groups

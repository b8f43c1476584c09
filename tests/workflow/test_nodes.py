"""Trainings on several nodes, where there is no Slurm machine."""

import yaml
from small_study import CONFIG, SETTINGS, SmallStudy


def test_nodes_without_a_slurm_machine_are_refused_and_can_be_looked_at(
    project, tiny_model, tmp_path
):
    study = SmallStudy.make(
        project, tmp_path / "clone", model=tiny_model.parent, hub=tmp_path / "hub"
    )
    values = yaml.safe_load(SETTINGS)
    launch = {"config": "ddp", "devices": 4, "nodes": 2}
    values["finetune"]["sft"] |= {"accumulation": 4, "launch": launch}
    (study.folder / CONFIG).write_text(yaml.safe_dump(values))
    refused = study.run(fails=True)
    assert "tiny-sft-s1 is trained on 2 nodes (`nodes` of `launch`)" in refused.output
    assert not refused.worked
    looked_at = study.run("--dry-run", "--printshellcmds")
    assert '"launch":{"config":"ddp","devices":4,"nodes":2}' in looked_at.output
    assert '"launch":{"config":"single","devices":1}' in looked_at.output

"""The benchmark of trainings: TRL's plain trainers do the same work as the project's steps."""

from argparse import Namespace

import pytest
import training as bench
import transformers


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("method", ["dpo", "orpo"])
def test_plain_trainers_drop_out_as_much_as_ours(
    tiny_model, tmp_path, monkeypatch, method, dropout
):
    options = Namespace(model=tiny_model.parent, device="cpu", threads=1, examples=4)
    options.epochs, options.batch_size, options.accumulation = 1, 2, 1
    options.mean_tokens, options.autocast = 8, "none"
    settings = bench.given(method, options)
    settings["lora"] = bench.LORA | {"rank": 4, "dropout": dropout}
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    bench.write_examples(method, options, pairs)
    dropped = []
    original = transformers.Trainer.train

    def train(self, *args, **kwargs):
        layers = [
            layer for layer in self.model.modules() if isinstance(layer, bench.torch.nn.Dropout)
        ]
        dropped.append(sorted(layer.p for layer in layers if layer.p))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(transformers.Trainer, "train", train)
    for way in ("plain", "ours"):
        (tmp_path / way).mkdir()
        getattr(bench, way)(method, settings, options, pairs, tmp_path / way)
    plain, ours = dropped
    assert plain == ours
    assert set(ours) == ({dropout} if dropout else set())

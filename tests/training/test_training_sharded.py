"""A model whose numbers are spread over the processes trains, validates and is saved as one that is not.

The package itself does not spread a model yet; what it asks of all processes at once would hang here otherwise.
"""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from made_runs import made_recipe, made_shards, records_of
from made_training import run_ranks
from spectralgpt.training import run_training

RUN = """
    import warnings
    warnings.simplefilter("ignore")  # of PyTorch, about views
    from dataclasses import replace
    from torch.distributed.fsdp import fully_shard
    from made_runs import made_recipe
    from spectralgpt.nn import Block
    from spectralgpt.training import Distribution, run_training

    def made(self, model, optimizer, partly=False):
        for each in model.modules():
            if isinstance(each, Block):
                fully_shard(each)
        # the outermost too: without it losses drifted after a validation with averaged weights (PyTorch 2.13)
        fully_shard(model, reshard_after_forward=True)
        return model, optimizer(model)

    Distribution.made = made
    recipe = made_recipe(steps=(6, 1), batch=6, log_every=1, save_every=5, micro=3, picture_every=3)
    run_training(replace(recipe, stages=recipe.stages[:1]), Path(sys.argv[1]), Path(sys.argv[2]), device="cpu")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of the same run by one process, and by two that hold half of the model each."""
    folder = tmp_path_factory.mktemp("sharded")
    shards = made_shards(folder / "shards")
    recipe = made_recipe(steps=(6, 1), batch=6, log_every=1, save_every=5, micro=3, picture_every=3)
    run_training(replace(recipe, stages=recipe.stages[:1]), shards, folder / "one", device="cpu")
    run_ranks(RUN, [shards, folder / "two"])
    return folder / "one", folder / "two"


def test_losses_and_validation_are_the_same(runs):
    one, two = (records_of(each) for each in runs)
    assert len(one) == len(two)
    assert sum("val_loss" in each for each in two) == 2
    for each, other in zip(one, two, strict=True):
        assert each.keys() == other.keys()
        for name, value in each.items():
            assert other[name] == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value), name


def test_the_weights_are_whole_and_the_same(runs):
    one, two = (load_file(each / "weights/model.safetensors") for each in runs)
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        if name.endswith("qkv.bias"):
            # no loss depends on those of keys: their gradients are rounding errors, of which Adam makes steps
            tensor, two[name] = (torch.stack([each.chunk(3)[i] for i in (0, 2)]) for each in (tensor, two[name]))
        torch.testing.assert_close(two[name], tensor, atol=1e-5, rtol=0)
    parts = [json.loads((each / "weights/config.json").read_text())["provenance"] for each in runs]
    assert parts[0] == parts[1]


def test_pictures_are_drawn(runs):
    one, two = (sorted(path.name for path in (each / "pictures").glob("step-*.png")) for each in runs)
    assert one == two == ["step-00000003.png", "step-00000006.png"]

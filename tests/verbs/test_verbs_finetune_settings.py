"""Settings of a fine-tuning that cannot be are refused before weights are read or an image is opened."""

import pytest

from spectralgpt.errors import OptionError
from spectralgpt.verbs import _fit_data, finetune
from spectralgpt.verbs._recipes import check_changes
from spectralgpt.weights import loading

FAULTS = (
    ("stages.0.lrr=1e-4", "unknown name stages.0.lrr"),
    ("epochs=1", r"Did you mean stages\.0\.epochs\?"),
    ("stages.1.epochs=1", r"found '1'; expected 0, or \* for all"),
    ("stages.0.lr=fast", "found 'fast'"),
    ("stages.0.lr", "found no `=`"),
    ("model.shape.depth=3", "unknown name|below a single value"),
    ("machine.micro=0", "micro"),
    ("model.size=vast", "size"),
)


@pytest.mark.parametrize(("change", "message"), FAULTS)
@pytest.mark.parametrize("recipe", ["own", "eurosat"])
def test_before_any_image(tmp_path, monkeypatch, recipe, change, message):
    for owner, name in ((_fit_data, "opened_fit_data"), (loading, "open_weights")):
        monkeypatch.setattr(owner, name, lambda *_: pytest.fail("opened first"))
    with pytest.raises(OptionError, match=message) as caught:
        finetune.finetune(tmp_path / "none", out=tmp_path / "out", recipe=recipe, set=change)
    assert "set=" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_recipe_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setattr(_fit_data, "opened_fit_data", lambda *_: pytest.fail("opened first"))
    with pytest.raises(OptionError, match=r"unknown recipe 'eurosaat'.*Did you mean eurosat"):
        finetune.finetune(tmp_path / "none", out=tmp_path / "out", recipe="eurosaat")


@pytest.mark.parametrize(
    "change", ["stages.0.lr=1e-4", "stages.0.mixup=0.5", "stages.0.head=dense", "model.size=small", "stages.*.batch=2"]
)
def test_what_suits_one_kind_of_labels_is_left_to_them(change):
    """Which kind they are is known once they are opened."""
    check_changes("own", None, change)
    check_changes("own", "untrained:small", [change])

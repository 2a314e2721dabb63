"""A saved probe: what comes back after saving, and which files are refused."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from made_disks import refusing_writes
from safetensors.numpy import load_file, save_file

from made_sets import made_image, pair, small_model
from spectralgpt.errors import TargetError, WeightsError
from spectralgpt.evaluation import Chosen, Targets, methods
from spectralgpt.features import Probe, encoder, probe
from spectralgpt.features.probe_files import DESCRIPTION, NUMBERS, is_probe
from spectralgpt.tasks import Class

CLASSES = (Class("water", "#1f77b4"), Class("forest"))
READ_OUTS = [name for name in methods.names() if name != "threshold"]
"""Without the one that reads a single value, which no model gives."""
TARGETS = ("class", "classes", "mask", "change")


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "small"
    model.save_pretrained(folder)
    return folder


def values_in(target: str) -> int:
    """Values of a vector: of an image 48; of a pixel 48 and 12 bands; of change twice as many."""
    return {"class": 48, "classes": 48, "mask": 60, "change": 120}[target]


def fitted(method: str, target: str, setting=None) -> Chosen:
    """A read-out of drawn features."""
    rng = np.random.default_rng(0)
    truth = rng.random((40, 2)) < 0.5 if target == "classes" else np.arange(40)[:, None] % 2 == np.arange(2)
    features = (rng.normal(size=(40, values_in(target))) + truth[:, :1]).astype(np.float32)
    made = methods.find(method)
    setting = made.usual if setting is None else setting
    (one,) = made.fits(features, Targets(truth, target == "classes", np.ones(40)), [setting], seed=0)
    thresholds = {"classes": np.array([0.3, 0.6]), "change": np.array([0.02])}.get(target)
    none = np.arange(0)
    return Chosen(method, setting, one, thresholds, np.arange(40), none, None, 0.5, 0.0, ())


def made(model, weights, method="ridge", target="class", **how) -> Probe:
    return Probe.of(model, fitted(method, target), target, CLASSES, weights=str(weights), **how)


def image_for(target: str):
    image = made_image(24, 16, hole=(slice(0, 8), slice(0, 8)))
    return pair(image, made_image(24, 16, 1)) if target == "change" else image


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", READ_OUTS)
def test_a_saved_probe_answers_the_same_to_the_bit(method, target, model, weights, tmp_path):
    own = made(model, weights, method, target, precision="fp32", images=["b", "a", "b"], made={"seed": "3"})
    own.save(tmp_path / "probe")
    found = Probe.load(tmp_path / "probe")
    image = image_for(target)
    np.testing.assert_array_equal(found.probabilities(image), own.probabilities(image))
    np.testing.assert_array_equal(found.predict(image), own.predict(image))
    # the checksum is that of the file
    assert replace(found.description, checksum="") == own.description
    assert found.classes == CLASSES
    assert found.description.images == ("a", "b")
    for name, array in own.fitted.arrays().items():
        assert found.fitted.arrays()[name].shape == array.shape


@pytest.mark.parametrize("target", TARGETS)
def test_answers(target, model, weights):
    own = made(model, weights, target=target)
    image = image_for(target)
    likely, found = own.probabilities(image), own.predict(image)
    if target in ("class", "classes"):
        assert (likely.shape, found.shape, found.dtype) == ((2,), (2,), bool)
        wanted = likely >= [0.3, 0.6] if target == "classes" else likely == likely.max()
        np.testing.assert_array_equal(found, wanted)
        return
    assert likely.shape == (24, 16, 2)
    nowhere = np.zeros((24, 16), bool)
    nowhere[:8, :8] = True
    np.testing.assert_array_equal(np.isnan(likely).any(axis=-1), nowhere)
    np.testing.assert_array_equal(found == -1, nowhere)
    wanted = likely[..., 1] >= 0.02 if target == "change" else likely[..., 1] > likely[..., 0]
    np.testing.assert_array_equal(found[~nowhere] == 1, wanted[~nowhere])


def test_own_bands_and_the_read_out_are_kept(model, weights, tmp_path):
    chosen = fitted("ridge", "class")
    plain = Probe.of(model, chosen, "class", CLASSES, weights=str(weights))
    own = Probe.of(model, chosen, "class", CLASSES, weights=str(weights), own=True, read_out="mean")
    own.save(tmp_path)
    found = Probe.load(tmp_path)
    assert (found.description.bands_as, found.description.read_out) == ("own", "mean")
    np.testing.assert_array_equal(found.probabilities(made_image(16, 16)), own.probabilities(made_image(16, 16)))
    assert not np.array_equal(found.probabilities(made_image(16, 16)), plain.probabilities(made_image(16, 16)))


def test_weights_that_have_moved(model, weights, tmp_path):
    made(model, tmp_path / "gone").save(tmp_path / "probe")
    with pytest.raises(WeightsError, match=r"weights that cannot be opened now .*gone: does not exist.*encoder"):
        Probe.load(tmp_path / "probe")
    found = Probe.load(tmp_path / "probe", weights=weights)
    assert found.model.fingerprint() == model.fingerprint()


def test_other_weights_are_refused(model, weights, tmp_path):
    made(model, weights).save(tmp_path / "probe")
    small_model(seed=1).save_pretrained(tmp_path / "other")
    with pytest.raises(WeightsError, match=rf"other: found the weights .*{model.fingerprint()[:16]}, which .*probe"):
        Probe.load(tmp_path / "probe", weights=tmp_path / "other")


def test_features_of_other_rules_are_refused(model, weights, tmp_path, monkeypatch):
    made(model, weights).save(tmp_path)
    monkeypatch.setattr(probe, "RULES", encoder.RULES + 1)
    with pytest.raises(WeightsError, match=rf"by rules {encoder.RULES}; expected rules {encoder.RULES + 1}"):
        Probe.load(tmp_path)


def changed(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def other_numbers(path):
    numbers = load_file(path)
    first = next(iter(numbers))
    numbers[first] = numbers[first] + 1
    save_file(numbers, path)


DAMAGED = {
    "cut description": (lambda folder: cut(folder / DESCRIPTION), r"probe\.json: cannot be read"),
    "cut numbers": (
        lambda folder: cut(folder / NUMBERS),
        r"probe\.safetensors: is not the file .*checksum differs",
    ),
    "other numbers": (lambda folder: other_numbers(folder / NUMBERS), r"probe\.safetensors: .* checksum differs"),
    "no numbers": (lambda folder: (folder / NUMBERS).unlink(), r"probe\.safetensors: does not exist"),
    "no description": (lambda folder: (folder / DESCRIPTION).unlink(), r"probe\.json: does not exist"),
    "other format": (lambda folder: changed(folder / DESCRIPTION, format="x"), "is no description of a probe"),
    "a list": (lambda folder: (folder / DESCRIPTION).write_text("[]"), "is no description of a probe"),
    "later version": (lambda folder: changed(folder / DESCRIPTION, version=2), "found version 2; expected 1"),
    "unknown target": (lambda folder: changed(folder / DESCRIPTION, target="depth"), "target"),
    "unknown method": (
        lambda folder: changed(folder / DESCRIPTION, method="oracle"),
        "unknown method 'oracle'",
    ),
    "another method": (lambda folder: changed(folder / DESCRIPTION, method="knn"), "read-out cannot be restored"),
    "unknown key": (lambda folder: changed(folder / DESCRIPTION, colour="red"), "colour"),
    "no classes": (lambda folder: changed(folder / DESCRIPTION, classes="water"), "classes"),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(model, weights, tmp_path, value):
    """Also where the checksum is that of the file: a class would be answered with them."""
    made(model, weights).save(tmp_path)
    numbers = load_file(tmp_path / NUMBERS)
    name = next(name for name, each in numbers.items() if each.dtype.kind == "f" and each.ndim)
    numbers[name] = np.full_like(numbers[name], value)
    save_file(numbers, tmp_path / NUMBERS)
    changed(tmp_path / DESCRIPTION, checksum=hashlib.sha256((tmp_path / NUMBERS).read_bytes()).hexdigest())
    with pytest.raises(WeightsError, match=f"NaN or infinite in {name}; expected finite numbers"):
        Probe.load(tmp_path)


def test_a_full_disk_keeps_the_one_before(model, weights, tmp_path, monkeypatch):
    made(model, weights).save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in (NUMBERS, DESCRIPTION):
        said = r"No space left on device\), found \S+ [kMGT]B free; expected about \d+ kB"
        with refusing_writes(monkeypatch, tmp_path / f"{name}.partial", 10), pytest.raises(TargetError, match=said):
            made(model, weights, target="mask").save(tmp_path)  # with other numbers
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged_files_are_refused(how, model, weights, tmp_path):
    made(model, weights).save(tmp_path)
    damage, words = DAMAGED[how]
    damage(tmp_path)
    assert is_probe(tmp_path) == (how != "no description")
    with pytest.raises(WeightsError, match=words):
        Probe.load(tmp_path)


def test_a_folder_that_holds_no_probe(tmp_path):
    assert not is_probe(tmp_path)
    with pytest.raises(WeightsError, match="does not exist; expected a folder that `probe` wrote"):
        Probe.load(tmp_path / "nowhere")

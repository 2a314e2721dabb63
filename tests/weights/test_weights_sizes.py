"""Weights at other image sizes than in their training."""

from dataclasses import replace
from functools import partial

import golden_numbers as golden
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from made_weights import of_all_kinds, small_weights
from spectralgpt.bands import BandSet, sensor
from spectralgpt.errors import OptionError
from spectralgpt.nn import ModelConfig, PooledConfig, Size
from spectralgpt.products import as_pixels, open_raster
from spectralgpt.raster import Pixels
from spectralgpt.training.optimizer import layer_groups
from spectralgpt.weights import Classifier, PretrainedModel, Segmenter, SpectralGPT
from spectralgpt.weights.released import released_normalization

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

BANDS = BandSet.native(sensor("spectralgpt-12").bands)
NODES = tuple(group.wavelength for group in BANDS.groups)


def models() -> dict[str, PretrainedModel]:
    made = of_all_kinds()
    base = made["pretraining"]
    joint = replace(base.config, joint_positions=True, spectrum_nodes=NODES)
    made["joint"] = Classifier(joint, PooledConfig(classes=4), base.normalization)
    torch.nn.init.normal_(made["joint"].encoder.positions.joint)
    return {name: model.eval() for name, model in made.items()}


def pixels(side: int) -> Pixels:
    values = np.random.default_rng(side).integers(100, 4000, (12, side, side)).astype("u2")
    return made_pixels(values, bands=BANDS.bands, gsd=10)


@pytest.mark.parametrize("name", models())
def test_at_the_new_side_features_are_those_of_before(name):
    model = models()[name]
    before = model.fingerprint()
    for side in (64, 96, 200):
        other = model.resized(side)
        assert other.config.image == side
        cube = model.cube(pixels(side))
        torch.testing.assert_close(other.embed(cube), model.embed(cube), atol=1e-5, rtol=1e-5)
        tables = [line for line in other.provenance["resized"] if f"16 x 16 to {side // 8} x {side // 8}" in line]
        assert len(tables) == (2 if name == "pretraining" else 1)
        assert other.fingerprint() != before
    assert model.fingerprint() == before
    assert "resized" not in model.resized(128).provenance
    assert model.resized(128).fingerprint() == before
    for wrong in (0, 100, 4):
        with pytest.raises(OptionError, match="multiple of the patch"):
            model.resized(wrong)


def test_at_its_own_side_a_table_with_more_nodes_keeps_them():
    model = small_weights(image=96)  # 16 x 16 nodes for 12 x 12 places
    same = model.resized(96)
    assert (same.fingerprint(), same.provenance) == (model.fingerprint(), model.provenance)


def test_a_resized_model_is_saved_and_read(tmp_path):
    other = models()["segmentation"].resized(64)
    other.save_pretrained(tmp_path / "one")
    back = Segmenter.from_pretrained(tmp_path / "one")
    assert (back.fingerprint(), back.config) == (other.fingerprint(), other.config)


@pytest.mark.parametrize("name", models())
def test_every_parameter_has_one_layer_and_tables_have_the_first(name):
    model = models()[name]
    groups = layer_groups(model, 0.05, 0.5)
    scale = {id(each): group["lr_scale"] for group in groups for each in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(scale) == len(list(model.parameters()))
    for parameter, each in model.named_parameters():
        layer = 0 if ".positions." in parameter or ".embedding." in parameter else 3
        if parameter.startswith("encoder.blocks."):
            layer = 1 + int(parameter.split(".")[2])
        if parameter.startswith("decoder."):
            layer = 3
        assert scale[id(each)] == 0.5 ** (3 - layer), parameter


def converted_like() -> SpectralGPT:
    """Weights of the released format at 96 px: the width of Base, two blocks, numbers by the golden rule."""
    config = ModelConfig(Size(768, 2, 12, 512, 1, 16), BANDS, image=96, place_nodes=(12, 12), spectrum_nodes=NODES)
    model = SpectralGPT(config, released_normalization())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.endswith(("season", "elapsed", "scale")):
                parameter.copy_(torch.from_numpy(golden.rule_weight(name, tuple(parameter.shape))))
    return model.eval()


def test_at_the_trained_side_the_table_is_read_as_it_stands():
    model = converted_like()
    table, positions = model.encoder.positions.place, model.encoder.positions
    assert torch.equal(positions.of_places(12, 12), table.flatten(0, 1))
    whole = positions(BANDS, 12, 12, torch.full((1, 1), -1, dtype=torch.int32), torch.full((1,), torch.nan))
    fixed = (positions.spectrum[:, None] + table.flatten(0, 1)[None]).flatten(0, 1)
    assert torch.equal(whole[0], fixed), "pos_embed_spatial + pos_embed_temporal, bit for bit"
    for side in (64, 128, 192):
        assert torch.isfinite(model.embed(model.cube(pixels(side)))).all()


@pytest.mark.long
def test_the_same_ground_at_96_and_128_px(shared):
    """Real patches of 96 px, and the same enlarged to 128 px: their embeddings are closer than those of others."""
    model = converted_like()
    folder = shared / "data" / "s2_l1c_scenes"
    found = []
    for path in sorted(folder.rglob("oscd_*.tif"))[:8]:
        with open_raster(path) as raster:
            patch = replace(raster.read(), valid=None)
        values = torch.from_numpy(patch.values[:, :, 96:192, 96:192].astype("f4"))
        larger = F.interpolate(values, size=(128, 128), mode="bilinear", align_corners=False)
        both = []
        for each, gsd in ((values, 10.0), (larger, 7.5)):
            made = made_pixels(each.numpy(), bands=patch.bands, scale=1e-4, gsd=gsd)
            both.append(model.embed(model.cube(made))[0])
        found.append(torch.stack(both))
    vectors = torch.stack(found).detach()
    centred = vectors - vectors.mean(dim=(0, 1))
    same = F.cosine_similarity(vectors[:, 0], vectors[:, 1], dim=1)
    same_centred = F.cosine_similarity(centred[:, 0], centred[:, 1], dim=1)
    print(f"mean cosine at 96 and 128 px: {same.mean():.4f}, after taking out the mean: {same_centred.mean():.4f}")
    assert same.mean() > 0.9
    nearest = torch.cdist(vectors[:, 0], vectors[:, 1]).argmin(dim=1)
    assert (nearest == torch.arange(len(found))).float().mean() > 0.8, "a place at 128 px is nearest to itself at 96"

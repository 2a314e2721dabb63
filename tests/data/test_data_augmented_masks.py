"""Masks go the way of their images: the same crops, flips and turns, and no class that was not there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spectralgpt.bands import Band, BandSet, sensor
from spectralgpt.data import Augmentation, Samples, augmented, augmented_mask, centred, centred_mask
from spectralgpt.data.augmentation import drawn_crops
from spectralgpt.data.crops import Crops
from spectralgpt.draws import keys
from spectralgpt.nn import BandStatistics, Cube, Normalization

S2 = tuple(band for band in sensor("s2-l2a").bands if band.name in ("B2", "B3", "B4"))
NAIP = tuple(sensor("naip").bands)
MODEL = BandSet.native(sensor("spectralgpt-12").bands)
NORMALIZATION = Normalization("standard", tuple(BandStatistics(band, 1.0, 1.0) for band in (*S2, *NAIP)))
seeds = st.integers(0, 2**31 - 1)


def halves(
    seed: int, batch: int = 6, side: int = 48, bands: tuple[Band, ...] = S2, dates: int = 1, padded: bool = True
) -> Samples:
    """Images of two values, dark and bright, in areas that no flip or turn maps to themselves; the mask says which. A
    fifth of the rows of each extent is not labelled."""
    rng = np.random.default_rng(seed)
    extent = rng.integers(side // 2, side + 1, (batch, 2)) if padded else np.full((batch, 2), side)
    row, column = np.mgrid[:side, :side]
    mask = np.full((batch, side, side), -1, np.int16)
    for index, (height, width) in enumerate(extent):
        bright = (row < 0.4 * height) & (column < 0.7 * width) | (
            row * width > 0.8 * column * height + 0.5 * height * width
        )
        mask[index, :height, :width] = bright[:height, :width]
    values = np.where(mask[:, None, None] == 1, 6000, 500).repeat(dates, 1).repeat(len(bands), 2).astype(np.uint16)
    for index, (height, _) in enumerate(extent):
        mask[index, int(0.8 * height) :] = -1
    return Samples(
        values=torch.from_numpy(values),
        valid=None,
        scale=torch.full((batch, len(bands)), 1e-4, dtype=torch.float64),
        offset=torch.zeros((batch, len(bands)), dtype=torch.float64),
        bands=bands,
        days=torch.zeros((batch, dates), dtype=torch.int32),
        gsd=torch.full((batch,), 10.0),
        extent=torch.from_numpy(extent.astype(np.int32)),
        key=torch.from_numpy(keys(seed, np.arange(batch)).view(np.int64)),
        draw=seed,
        number=torch.arange(batch),
        target=torch.from_numpy(mask),
    )


def bright_in(cube: Cube) -> Tensor:
    """Where the cube's first band is nearer to bright than to dark; not labelled where not valid."""
    values = (
        cube.values[:, -1, 0] * cube.scaling.scale[:, -1, 0, None, None] + cube.scaling.centre[:, -1, 0, None, None]
    )
    middle = float(np.arcsinh(0.05 / 0.02) + np.arcsinh(0.6 / 0.02)) / 2
    return values > middle


def far_from_edges(mask: Tensor, reach: int = 2) -> Tensor:
    """Where a pixel and all its neighbours have one label."""
    padded = torch.nn.functional.pad(mask.float()[:, None], (reach,) * 4, mode="replicate")
    most = torch.nn.functional.max_pool2d(padded, 2 * reach + 1, 1)[:, 0]
    least = -torch.nn.functional.max_pool2d(-padded, 2 * reach + 1, 1)[:, 0]
    return (most == least) & (mask >= 0)


@settings(max_examples=30)
@given(seeds, st.sampled_from([S2, NAIP]), st.sampled_from([1, 2]), st.sampled_from([16, 24, 48, 96]), st.booleans())
def test_a_mask_stays_on_its_image(seed, bands, dates, image, padded):
    samples = halves(seed, bands=bands, dates=dates, padded=padded)
    augmentation = Augmentation(image)
    mask = augmented_mask(samples, augmentation)
    cube = augmented(samples, augmentation, MODEL, NORMALIZATION, trained_side=48)
    assert mask.dtype == torch.int16
    assert mask.shape == cube.values.shape[:1] + cube.values.shape[3:]
    # an image's edge, halfway in asinh, lies a quarter of a pixel from its mask's: enlarged eight times, two pixels
    sure = far_from_edges(mask, reach=2 if image <= 48 else 4)
    assert (bright_in(cube)[sure] == (mask[sure] == 1)).all()
    # not by chance: every other flip or turn of the masks is wrong somewhere
    for other in (mask.flip(1), mask.flip(2), mask.mT, mask.rot90(1, (1, 2))):
        certain = far_from_edges(other)
        assert (bright_in(cube)[certain] != (other[certain] == 1)).any()


@settings(max_examples=20)
@given(seeds, st.sampled_from([8, 16, 24, 48, 96]))
def test_the_middle_of_a_mask_stays_on_its_image(seed, image):
    samples = halves(seed)
    mask = centred_mask(samples, image)
    cube = centred(samples, image, MODEL, NORMALIZATION, trained_side=48)
    sure = far_from_edges(mask)
    assert (bright_in(cube)[sure] == (mask[sure] == 1)).all()
    assert mask.shape[1:] == (image, image)


def whole(side: int, batch: int, seed: int = 0) -> Crops:
    """All of each image, in all orientations."""
    rectangle = torch.tensor([[0, side]] * batch)
    bits = torch.arange(batch)
    backwards = torch.stack([bits & 1, bits >> 1 & 1], 1).bool()
    return Crops(rectangle, rectangle, backwards, (bits >> 2 & 1).bool())


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_whole_scalings_are_exact(factor):
    """Enlarged, each pixel is repeated; shrunk by an odd number, the middle one of each block remains."""
    side = 15
    crops = whole(side, 8)
    mask = torch.from_numpy(np.random.default_rng(factor).integers(-1, 250, (8, side, side)).astype(np.int16))
    expected = mask.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    found = crops.nearest(mask, factor * side, torch.device("cpu"))
    for index in range(8):
        assert torch.equal(found[index], turned(expected[index], crops, index))
    if side % factor == 0 and factor % 2:
        shrunk = crops.nearest(mask, side // factor, torch.device("cpu"))
        for index in range(8):
            middle = mask[index, factor // 2 :: factor, factor // 2 :: factor]
            assert torch.equal(shrunk[index], turned(middle, crops, index))


def turned(mask: Tensor, crops: Crops, sample: int) -> Tensor:
    mask = mask.flip([axis for axis, back in enumerate(crops.reversed[sample].tolist()) if back])
    return mask.mT if crops.turned[sample] else mask


def test_by_hand():
    """Columns 1 to 4 of a row of six, to three pixels: centres at 1.67, 3.0 and 4.33; where two meet, the later."""
    mask = torch.arange(6, dtype=torch.int16).repeat(1, 6, 1)
    crops = Crops(torch.tensor([[2, 3]]), torch.tensor([[1, 4]]), torch.tensor([[False, False]]), torch.tensor([False]))
    assert crops.nearest(mask, 3, torch.device("cpu"))[0].tolist() == [[1, 3, 4]] * 3
    backwards = replace(crops, reversed=torch.tensor([[False, True]]))
    assert backwards.nearest(mask, 3, torch.device("cpu"))[0].tolist() == [[4, 3, 1]] * 3
    swapped = replace(backwards, turned=torch.tensor([True]))
    assert swapped.nearest(mask, 3, torch.device("cpu"))[0].tolist() == [[4] * 3, [3] * 3, [1] * 3]


@settings(max_examples=20)
@given(seeds, st.sampled_from([8, 20, 64]), st.booleans())
def test_no_class_is_made_up_and_padding_is_never_seen(seed, image, by_gsd):
    """Outside the extent lies a class that must not be seen; ignored pixels alone stay ignored."""
    samples = halves(seed, batch=4)
    side, pixel = samples.values.shape[-1], torch.arange(samples.values.shape[-1])
    inside = (pixel[:, None] < samples.extent[:, :1, None]) & (pixel < samples.extent[:, 1:, None])
    codes = torch.from_numpy(np.random.default_rng(seed).choice([-1, 3, 200], (4, side, side)).astype(np.int16))
    codes[3] = -1
    target = torch.where(inside, codes, 77).to(torch.int16)
    samples = replace(samples, target=target)
    augmentation = Augmentation(image, gsd=(5, 40) if by_gsd else None)
    for mask in (augmented_mask(samples, augmentation), centred_mask(samples, image)):
        assert set(mask.unique().tolist()) <= {-1, 3, 200}
        assert (mask[3] == -1).all()
    crops = drawn_crops(samples, augmentation)
    assert torch.equal(augmented_mask(samples, augmentation), crops.nearest(target, image, torch.device("cpu")))


def test_a_batch_may_be_divided():
    samples = halves(5)
    augmentation = Augmentation(24)
    together = augmented_mask(samples, augmentation)
    parts = [augmented_mask(samples.part(slice(start, start + 2)), augmentation) for start in (0, 2, 4)]
    assert torch.equal(torch.cat(parts), together)
    assert augmented_mask(samples, augmentation, device="meta").device.type == "meta"
    assert centred_mask(samples, 24, device="meta").shape == (6, 24, 24)


@pytest.mark.parametrize("target", [None, torch.zeros(6, dtype=torch.int64), torch.zeros((6, 3), dtype=torch.bool)])
def test_samples_without_masks_are_refused(target):
    samples = replace(halves(0), target=target)
    with pytest.raises(ValueError, match="without masks"):
        augmented_mask(samples, Augmentation(24))
    with pytest.raises(ValueError, match="without masks"):
        centred_mask(samples, 24)

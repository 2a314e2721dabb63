"""Descriptors of images: against sums written out, with invalid pixels, missing bands, and as a loss."""

import numpy as np
import pytest
import torch
from torch import Tensor

from spectralgpt.nn.descriptors import FLOOR, GRADIENT_STEPS, VALUE_PERCENTILES, descriptor_count, image_descriptors


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def split(found: Tensor, slots: int) -> tuple[Tensor, Tensor, Tensor]:
    """Percentiles (slot, percentile), gradients (step, kind, slot) and differences (pair)."""
    sizes = [slots * len(VALUE_PERCENTILES), 2 * slots * len(GRADIENT_STEPS), slots * (slots - 1) // 2]
    percentiles, gradients, differences = torch.split(found, sizes)
    return percentiles.reshape(slots, -1), gradients.reshape(len(GRADIENT_STEPS), 2, slots), differences


def test_they_are_what_they_say():
    values = images(1, 2, 3, 20, 24)
    found, known = image_descriptors(values, None)
    assert found.shape == (1, descriptor_count(3)) == (1, 3 * 13 + 3)
    assert known.all()
    percentiles, gradients, differences = split(found[0], 3)
    own = values[0].transpose(0, 1).flatten(1).numpy()
    wanted = np.percentile(own, VALUE_PERCENTILES, axis=1, method="lower").T
    np.testing.assert_allclose(percentiles, wanted, rtol=1e-6)
    for number, step in enumerate(GRADIENT_STEPS):
        for slot in range(3):
            image = values[0, :, slot].double()
            change = torch.cat(
                [(image[:, step:] - image[:, :-step]).flatten(), (image[..., step:] - image[..., :-step]).flatten()]
            )
            assert gradients[number, 0, slot] == pytest.approx(float((change.abs().mean() + FLOOR).log()), abs=1e-5)
            assert gradients[number, 1, slot] == pytest.approx(
                float((change.square().mean().sqrt() + FLOOR).log()), abs=1e-5
            )
    for number, (one, other) in enumerate([(0, 1), (0, 2), (1, 2)]):
        difference = np.std((own[one] - own[other]).astype(np.float64))
        assert differences[number] == pytest.approx(np.log(difference + FLOOR), abs=1e-5)


def test_what_is_not_valid_changes_nothing():
    values, valid = images(2, 1, 4, 16, 16), images(2, 1, 4, 16, 16, seed=1) > -0.5
    found, known = image_descriptors(values, valid)
    for junk in (torch.nan, torch.inf, 1e6):
        other = image_descriptors(torch.where(valid, values, junk), valid)
        assert torch.equal(other[0], found)
        assert torch.equal(other[1], known)
    assert found.isfinite().all()
    half = valid & (torch.arange(16) < 8)
    cut = image_descriptors(values[..., :8], half[..., :8])
    torch.testing.assert_close(image_descriptors(values, half)[0], cut[0], atol=1e-5, rtol=1e-5)


def test_a_missing_band_is_not_known():
    values, valid = images(1, 1, 3, 16, 16), torch.ones(1, 1, 3, 16, 16, dtype=torch.bool)
    valid[:, :, 1] = False
    found, known = image_descriptors(values, valid)
    percentiles, gradients, differences = split(known[0], 3)
    assert percentiles.all(dim=1).tolist() == [True, False, True]
    assert gradients.all(dim=0).all(dim=0).tolist() == [True, False, True]
    assert differences.tolist() == [False, True, False]
    assert not found[~known].any()
    alone, _ = image_descriptors(values[:, :, [0, 2]], None)
    torch.testing.assert_close(split(found[0], 3)[2][1], split(alone[0], 2)[2][0])


@pytest.mark.parametrize("side", [1, 2, 3])
def test_images_smaller_than_a_step(side):
    found, known = image_descriptors(images(2, 1, 2, side, side), None)
    assert found.isfinite().all()
    _, gradients, _ = split(known[0], 2)
    assert gradients.all(dim=2).all(dim=1).tolist() == [step < side for step in GRADIENT_STEPS]


def test_an_even_image():
    found, known = image_descriptors(torch.full((1, 1, 2, 16, 16), 1.5), None)
    percentiles, gradients, differences = split(found[0], 2)
    assert known.all()
    assert (percentiles == 1.5).all()
    torch.testing.assert_close(gradients, torch.full_like(gradients, np.log(FLOOR)))
    torch.testing.assert_close(differences, torch.full_like(differences, np.log(FLOOR)))


def test_large_images_are_thinned_for_percentiles_only():
    values = images(1, 1, 1, 128, 128)
    percentiles, _, _ = split(image_descriptors(values, None)[0][0], 1)
    wanted = np.percentile(values[..., ::4, ::4].flatten().numpy(), VALUE_PERCENTILES, method="lower")
    np.testing.assert_allclose(percentiles[0], wanted, rtol=1e-6)

"""Descriptors of places: against sums written out, with invalid pixels, missing bands, and flat places."""

import numpy as np
import pytest
import torch
from torch import Tensor

from spectralgpt.nn.descriptors import FLOOR, GRADIENT_STEPS, REACHES, descriptor_count, place_descriptors


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def split(found: Tensor, slots: int, reach: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Means (slot), deviations (slot), gradients (step, kind, slot) and differences (pair) of a place, in a reach."""
    own = found.chunk(len(REACHES))[REACHES.index(reach)]
    sizes = [slots, slots, 2 * slots * len(GRADIENT_STEPS), slots * (slots - 1) // 2]
    means, deviations, gradients, differences = torch.split(own, sizes)
    return means, deviations, gradients.reshape(len(GRADIENT_STEPS), 2, slots), differences


@pytest.mark.parametrize("reach", REACHES)
def test_they_are_what_they_say(reach):
    values = images(2, 3, 4, 56, 48)
    found, known = place_descriptors(values, None, 8)
    assert found.shape == (2, 3, 7, 6, descriptor_count(4))
    assert descriptor_count(4) == 2 * (4 * 8 + 6)
    assert known.all()
    row, column = 1, 3
    rows, columns = (range(max(0, at - reach), min(most, at + reach + 1)) for at, most in ((row, 7), (column, 6)))
    places = [values[1, 2, :, 8 * r : 8 * r + 8, 8 * c : 8 * c + 8].double().numpy() for r in rows for c in columns]
    own = np.concatenate([each.reshape(4, -1) for each in places], axis=1)
    means, deviations, gradients, differences = split(found[1, 2, row, column], 4, reach)
    np.testing.assert_allclose(means, own.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(deviations, np.log(own.std(axis=1) + FLOOR), atol=1e-5)
    for number, step in enumerate(GRADIENT_STEPS):
        for slot in range(4):
            change = np.concatenate(
                [
                    each.ravel()
                    for place in places
                    for each in (
                        place[slot, step:] - place[slot, :-step],
                        place[slot, :, step:] - place[slot, :, :-step],
                    )
                ]
            )
            assert gradients[number, 0, slot] == pytest.approx(np.log(np.abs(change).mean() + FLOOR), abs=1e-5)
            assert gradients[number, 1, slot] == pytest.approx(np.log(np.sqrt((change**2).mean()) + FLOOR), abs=1e-5)
    for number, (one, other) in enumerate([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]):
        assert differences[number] == pytest.approx(np.log((own[one] - own[other]).std() + FLOOR), abs=1e-4)


def test_a_place_knows_nothing_beyond_its_reach():
    values = images(1, 1, 3, 64, 16)
    other = values.clone()
    other[..., 56:, :] += 5
    one, two = (place_descriptors(each, None, 8)[0].chunk(2, dim=-1) for each in (values, other))
    same = [[torch.equal(a[:, :, row], b[:, :, row]) for row in range(8)] for a, b in zip(one, two, strict=True)]
    assert same == [[True] * 7 + [False], [True] * 5 + [False] * 3]


def test_what_is_not_valid_changes_nothing():
    values, valid = images(2, 1, 4, 16, 16), images(2, 1, 4, 16, 16, seed=1) > -0.5
    found, known = place_descriptors(values, valid, 8)
    for junk in (torch.nan, torch.inf, 1e6):
        other = place_descriptors(torch.where(valid, values, junk), valid, 8)
        assert torch.equal(other[0], found)
        assert torch.equal(other[1], known)
    assert found.isfinite().all()


def test_a_missing_band_and_a_single_pixel():
    values, valid = images(1, 1, 3, 8, 8), torch.ones(1, 1, 3, 8, 8, dtype=torch.bool)
    valid[:, :, 1] = False
    valid[:, :, 2] = False
    valid[:, :, 2, 3, 3] = True
    found, known = (each[0, 0, 0, 0] for each in place_descriptors(values, valid, 8))
    means, deviations, gradients, differences = split(known, 3)
    assert means.tolist() == deviations.tolist() == [True, False, True]
    assert gradients.all(dim=0).all(dim=0).tolist() == [True, False, False]
    assert differences.tolist() == [False, False, False], "one common pixel has no deviation"
    assert not found[~known].any()


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_places_smaller_than_a_step(patch):
    found, known = place_descriptors(images(2, 1, 2, 4, 8), None, patch)
    assert found.isfinite().all()
    _, _, gradients, _ = split(known[0, 0, 0, 0], 2)
    assert gradients.all(dim=2).all(dim=1).tolist() == [step < patch for step in GRADIENT_STEPS]


def test_a_flat_place():
    found, known = place_descriptors(torch.full((1, 1, 2, 8, 8), 1.5), None, 8)
    assert known.all()
    for reach in REACHES:
        means, *others = split(found[0, 0, 0, 0], 2, reach)
        torch.testing.assert_close(means, torch.full_like(means, 1.5))
        for each in others:
            torch.testing.assert_close(each, torch.full_like(each, np.log(FLOOR)), atol=0.1, rtol=0)


def test_whole_patches_only():
    with pytest.raises(ValueError, match="found 16 x 12 pixels"):
        place_descriptors(images(1, 1, 2, 16, 12), None, 8)

"""The measured read-out, against a plain computation."""

import torch

from spectralgpt.nn import ReadOut, ReadOutConfig
from spectralgpt.nn.read_out import pooled_statistics


def drawn(seed: int = 0):
    """Features of two blocks, which tokens are present, and a read-out with numbers that all differ."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(2, 2, 3, 4, 5, generator=generator) > 0.3
    present[0, :, 1] = False  # a group of the first sample
    present[:, :, :, 0, 0] = False  # a place of all
    features = [torch.randn(*present.shape, 6, generator=generator) * present[..., None] for _ in range(2)]
    read_out = ReadOut(ReadOutConfig((1, 2), (1, 2), 7), dim=6)
    for name, buffer in read_out.named_buffers():
        buffer.copy_(torch.rand(buffer.shape, generator=generator) + (0.5 if "deviation" in name else 0))
    return features, present, read_out


def test_a_place_is_the_projection_of_its_standardized_means():
    features, present, read_out = drawn()
    found = read_out.of_places(features, present)
    for sample in range(2):
        for row in range(4):
            for column in range(5):
                tokens = present[sample, :, :, row, column]
                if not tokens.any():
                    assert not found[sample, row, column].any()
                    continue
                means = torch.cat([each[sample, :, :, row, column][tokens].mean(dim=0) for each in features])
                expected = (means - read_out.place_mean) / read_out.place_deviation @ read_out.projection
                torch.testing.assert_close(found[sample, row, column], expected)


def test_an_image_is_means_and_log_deviations_of_its_groups():
    features, present, read_out = drawn()
    found = read_out.of_images(features, present)
    for sample in range(2):
        parts = []
        for each in features:
            tokens = [each[sample, :, group][present[sample, :, group]] for group in range(3)]
            some = [one for one in tokens if len(one)]
            parts.append(torch.stack([one.mean(dim=0) for one in some]).mean(dim=0))
            parts.append(torch.stack([(one.std(dim=0, correction=0) + 1e-6).log() for one in some]).mean(dim=0))
        expected = ((torch.cat(parts) - read_out.image_mean) / read_out.image_deviation).clamp(-8, 8)
        expected = expected @ read_out.image_projection
        torch.testing.assert_close(found[sample], expected / expected.norm(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_a_group_of_one_token_has_no_deviation():
    features, present, _ = drawn()
    present[0] = False
    present[0, 0, 0, 0, 0] = True
    present[1, :, :2] = False
    present[1, 0, 0, 2, 3] = True
    features = [each * present[..., None] for each in features]
    statistics, known = pooled_statistics(features, present)
    assert known[0].reshape(2, 2, 6).all(dim=2).tolist() == [[True, False], [True, False]]
    assert known[1].all(), "of the group with many tokens"
    torch.testing.assert_close(statistics[0, :6], features[0][0, 0, 0, 0, 0])
    mean = torch.stack([features[0][1, 0, 0, 2, 3], features[0][1, :, 2][present[1, :, 2]].mean(dim=0)]).mean(dim=0)
    torch.testing.assert_close(statistics[1, :6], mean)


def test_an_image_without_a_token_is_zero_and_an_odd_one_is_cut_off():
    features, present, read_out = drawn()
    present[0] = False
    read_out.image_projection.copy_(torch.eye(24))
    odd = read_out.of_images([each * 1e6 * present[..., None] for each in features], present)
    assert not odd[0].any()
    assert odd[1].abs().max() < 0.7, "no value drowns the others"

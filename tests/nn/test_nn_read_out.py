"""The measured read-out, against a plain computation."""

import torch

from spectralgpt.nn import ReadOut, ReadOutConfig


def drawn(seed: int = 0):
    """Features of two blocks, which tokens are present, and a read-out with numbers that all differ."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(2, 2, 3, 4, 5, generator=generator) > 0.3
    present[0, :, 1] = False  # a group of the first sample
    present[:, :, :, 0, 0] = False  # a place of all
    features = [torch.randn(*present.shape, 6, generator=generator) * present[..., None] for _ in range(2)]
    read_out = ReadOut(ReadOutConfig((1, 2), (1, 2), 7), dim=6, groups=3)
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
        parts, known = [], []
        for each in features:
            means, deviations = [], []
            for group in range(3):
                tokens = each[sample, :, group][present[sample, :, group]]
                known.append(len(tokens) > 1)
                means.append(tokens.mean(dim=0) if len(tokens) else torch.zeros(6))
                deviations.append((tokens.std(dim=0, correction=0) + 1e-6).log() if len(tokens) else torch.zeros(6))
            parts += [torch.cat(pair) for pair in zip(means, deviations, strict=True)]
        expected = (torch.cat(parts) - read_out.image_mean) / read_out.image_deviation
        expected = torch.where(torch.tensor(known).repeat_interleave(12), expected, 0.0)
        torch.testing.assert_close(found[sample], expected, atol=1e-5, rtol=1e-5)
    assert not found[0].reshape(2, 3, 12)[:, 1].any(), "a group that is missing says nothing"

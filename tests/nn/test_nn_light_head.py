"""The light head: which blocks it reads, that its answers are local, in place, and cheap."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from made_cubes import NATIVE, SIZE, made_cube
from made_heads import LIGHT, made
from spectralgpt.errors import OptionError
from spectralgpt.nn import SIZES, DenseConfig, LightConfig, LightHead, MapHeadConfig, Merge, Merged, ModelConfig, Size
from spectralgpt.nn.heads.dense import resize
from spectralgpt.tasks import LightChange, Segmentation
from test_nn_heads import drawn_images, overlap


def made_head(patch: int = 8, depths: int = 3) -> LightHead:
    torch.manual_seed(0)
    return LightConfig(3, **LIGHT).make(20, patch, depths).double().eval()


def made_maps(present: Tensor | None, depths: int = 3) -> list[Merged]:
    generator = torch.Generator().manual_seed(1)
    return [Merged(torch.randn(2, 20, 5, 7, generator=generator).double(), present) for _ in range(depths)]


@pytest.mark.parametrize(
    ("depth", "blocks"),
    [(12, (4, 8, 12)), (24, (8, 16, 24)), (32, (10, 21, 32)), (2, (1, 2)), (1, (1,)), (3, (1, 2, 3))],
)
def test_it_reads_each_third_of_the_depth(depth, blocks):
    config = LightConfig(2)
    assert isinstance(config, MapHeadConfig)
    assert config.blocks(depth) == blocks
    assert config.make(5, 8, depth).join.in_channels == 5 * len(blocks)
    assert ", ".join(map(str, blocks)) in config.words(depth)
    assert LightConfig(2, at=(1,)).blocks(depth) == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 0}, "found 0 classes"),
        ({"at": (2, 2)}, r"blocks \[2, 2\].*increasing blocks from 1 on"),
        ({"at": (0, 3)}, r"blocks \[0, 3\]"),
        ({"at": (3, 1)}, r"blocks \[3, 1\]"),
        ({"channels": 0}, "0 and 64 channels"),
        ({"fine": -1}, "256 and -1 channels"),
        ({"dropout": 1.0}, r"dropout 1\.0"),
    ],
)
@pytest.mark.parametrize("kind", [LightConfig, LightChange])
def test_options_that_make_no_light_head(kind, options, message):
    with pytest.raises(OptionError, match=message):
        kind(**({"classes": 3} | options))


def test_a_block_that_the_encoder_does_not_have():
    with pytest.raises(OptionError, match="a head on block 3; expected blocks up to the model's 2"):
        Segmentation(ModelConfig(SIZE, NATIVE), LightConfig(3, at=(1, 3)))


def test_the_blocks_that_are_read_count():
    model, cube = made("light"), made_cube()
    with torch.no_grad():
        before = model(cube)
        for block in model.encoder.blocks:
            bias = block.mlp.fc2.bias.clone()
            block.mlp.fc2.bias += torch.randn(SIZE.dim, generator=torch.Generator().manual_seed(3))
            assert (model(cube) - before).abs().max() > 1e-3
            block.mlp.fc2.bias.copy_(bias)
        only = Segmentation(model.config, LightConfig(4, at=(1,), **LIGHT)).eval()
        before = only(cube)
        only.encoder.blocks[1].mlp.fc1.weight.zero_()
        assert torch.equal(only(cube), before), "blocks behind the last one do not count"


@pytest.mark.parametrize("value", [0.0, 100.0, -3.0])
def test_places_without_tokens_change_no_other_pixel(value):
    present = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(2)) > 0.3
    pixels = present.repeat_interleave(8, dim=-2).repeat_interleave(8, dim=-1)[:, None]
    found = []
    for constant in (7.0, value):
        maps = made_maps(present)
        filled = [torch.where(present[:, None], each.features, constant).requires_grad_() for each in maps]
        logits = made_head()([Merged(each, present) for each in filled])
        assert torch.isfinite(logits).all()
        shown = torch.where(pixels, logits, 0.0)
        shown.square().sum().backward()
        assert not any(torch.where(present[:, None], 0.0, each.grad).any() for each in filled)
        found.append(shown.detach())
    assert torch.equal(*found)
    # and they would, if they were not left out
    other = torch.where(pixels, made_head()([Merged(each, None) for each in filled]), 0.0)
    assert not torch.allclose(other, found[1])


def test_present_everywhere_is_no_absence():
    everywhere = torch.ones(2, 5, 7, dtype=torch.bool)
    torch.testing.assert_close(made_head()(made_maps(everywhere)), made_head()(made_maps(None)))


@pytest.mark.parametrize("patch", [4, 5, 8, 12])
def test_an_answer_is_that_of_any_window_around_it(patch):
    """Of the same features: a pixel depends on its own place and its direct neighbours, not on the image."""
    head, maps = made_head(patch), made_maps(None)
    whole = head(maps)
    part = head([Merged(each.features[:, :, 1:4, 2:6], None) for each in maps])
    assert whole.shape == (2, 3, 5 * patch, 7 * patch)
    torch.testing.assert_close(
        part[..., patch:-patch, patch:-patch], whole[..., 2 * patch : 3 * patch, 3 * patch : 5 * patch]
    )


@pytest.mark.parametrize("flipped", [(-1,), (-2,), (-2, -1)])
def test_interpolation_has_no_side(flipped):
    x = torch.randn(1, 2, 4, 6)
    torch.testing.assert_close(
        resize(x.flip(flipped), (8, 12), corners=False), resize(x, (8, 12), corners=False).flip(flipped)
    )
    # by hand: points in the middle of two pixels each, so the pixels between two points are at 1/4 and 3/4
    line = resize(torch.tensor([[[[0.0, 4.0]]]]), (1, 4), corners=False)
    assert line.flatten().tolist() == [0.0, 1.0, 3.0, 4.0]


def test_tokens_are_normalized_before_they_are_merged():
    merge = Merge(tuple(group.wavelength for group in NATIVE.groups), 6, normed=True)
    nn.init.constant_(merge.weight, 0.25)
    nn.init.zeros_(merge.bias)
    features = torch.randn(2, 1, 4, 3, 3, 6)
    found = merge(features * 50 + 7, None, NATIVE).features
    torch.testing.assert_close(found, merge(features, None, NATIVE).features, atol=1e-4, rtol=1e-4)
    wanted = (features - features.mean(-1, keepdim=True)) / features.var(-1, unbiased=False, keepdim=True).sqrt()
    torch.testing.assert_close(found, wanted.mean(dim=2)[:, 0].permute(0, 3, 1, 2), atol=1e-4, rtol=1e-4)
    absent = torch.zeros(2, 1, 4, 3, 3, dtype=torch.bool)
    assert not merge(torch.zeros_like(features), absent, NATIVE).features.any()


def test_no_change_is_a_difference_of_zero():
    model, cube = made("light difference"), made_cube()
    with torch.no_grad():
        nothing = model(cube, cube)
        zero = model.head([Merged(torch.zeros(2, SIZE.dim, 3, 4), None)] * 2)
        torch.testing.assert_close(nothing, zero, atol=1e-4, rtol=0)
        assert (model(cube, made_cube(seed=5)) - nothing).abs().max() > 1e-2


def test_a_distance_does_not_see_the_order_of_the_times():
    before, after = made_cube(), made_cube(seed=5)
    with torch.no_grad():
        for name, alike in (("light distance", True), ("light difference", False)):
            model = made(name)
            assert torch.equal(model(before, after), model(after, before)) == alike
            assert (model(before, after) - model(before, before)).abs().max() > 1e-2


@pytest.mark.parametrize("size", ["tiny", "base", "large"])
def test_it_multiplies_less_than_a_tenth_of_the_dense_head(size):
    """And a small part of what the encoder does (Size: 12 dim^2 per token and block, four groups per place)."""
    shape: Size = SIZES[size]
    with torch.device("meta"):
        light = LightConfig(10).make(shape.dim, 8, shape.depth)
        dense = DenseConfig(10).make(shape.dim, 8, shape.depth)

    def per_place(head: nn.Module, shown: list[Tensor]) -> float:
        total = 0.0

        def add(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            nonlocal total
            side = max(inputs[0].shape[-1], 16) if isinstance(module, nn.ConvTranspose2d) else out.shape[-1]
            total += module.weight.numel() * (side / 16) ** 2

        for module in head.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(add)
        head.eval()([Merged(each, None) for each in shown])
        return total

    maps = [torch.empty(1, shape.dim, 16, 16, device="meta") for _ in range(3)]
    cost = per_place(light, maps)
    print(f"{size}: {cost / 1e6:.2f} M, dense {per_place(dense, maps[:1]) / 1e6:.1f} M")
    assert 10 * cost < per_place(dense, maps[:1])
    assert cost < 0.03 * 4 * 12 * shape.dim**2 * shape.depth


def test_a_trained_mask_comes_back_in_place_from_the_light_head():
    """Shapes finer than a patch, tested on other images and another shape."""
    torch.manual_seed(0)
    model = Segmentation(ModelConfig(SIZE, NATIVE), LightConfig(2, channels=64, fine=32, dropout=0.0)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(120):
        cube, truth = drawn_images(4, 32, 24, seed=step)
        loss = F.cross_entropy(model(cube), truth.long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    for height, width in ((32, 24), (29, 43)):
        cube, truth = drawn_images(6, height, width, seed=1000)
        found = model.predict(cube).classes == 1
        here = overlap(found, truth)
        print(f"{height} x {width}: intersection over union {here:.3f}")
        assert here > 0.5
        for moved in (found.roll(1, 1), found.roll(-1, 1), found.roll(1, 2), found.roll(-1, 2), found.flip(1)):
            assert overlap(moved, truth) < here

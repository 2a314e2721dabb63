"""Properties of every head: absent values change nothing, gradients reach everything, any size, pixels in place."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from made_cubes import MIN_MAX, NATIVE, SIZE, made_cube, made_pixels, narrow_bands, small_model, with_valid
from made_heads import ABSENT, CHANGE, DENSE, HEADS, SMALL, holes, made, taken, with_dates
from spectralgpt.errors import OptionError
from spectralgpt.nn import Cube, DenseConfig, DenseHead, ModelConfig, PooledConfig, make_cube
from spectralgpt.nn.dropping import Dropout, drop_path
from spectralgpt.nn.heads import Merge, Merged, PooledHead, dense
from spectralgpt.tasks import ChangeDetection, Segmentation

MODELS = {name: made(name) for name in HEADS}
each_head = pytest.mark.parametrize("name", HEADS)
each_dense = pytest.mark.parametrize("name", DENSE)
each_change = pytest.mark.parametrize("name", CHANGE)


def close(one: Tensor, other: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


def outputs(model: nn.Module, cube: Cube) -> dict[str, Tensor]:
    """Logits, the prediction from them, and gradients of a loss over all logits."""
    model.zero_grad()
    logits = model(cube)
    logits.square().mean().backward()
    found = {f"gradient of {name}": p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    said = model.predict(cube)
    return found | {"logits": logits.detach(), "probabilities": said.probabilities, "classes": said.classes}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name].nan_to_num(nan=1234.5), other[name].nan_to_num(nan=1234.5)) for name in one)


# -- absent values -----------------------------------------------------------------------------------------------------


@each_head
@pytest.mark.parametrize("what", ["pixels", *ABSENT])
def test_what_stands_under_invalid_pixels_changes_no_bit(name, what):
    model, cube = MODELS[name], made_cube(dates=2)
    valid = holes(cube, what)
    clean = outputs(model, with_valid(cube, valid))
    for junk in (np.nan, np.inf, 1e38):
        junked = replace(cube, valid=valid, values=torch.where(valid, cube.values, junk))
        assert same(clean, outputs(model, junked)), junk
    assert all(torch.isfinite(each).all() for key, each in clean.items() if key != "probabilities")
    changed = replace(cube, valid=valid, values=torch.where(valid, cube.values + 1, cube.values))
    assert not same(clean, outputs(model, changed))


@each_head
def test_nothing_seen_is_no_answer(name):
    cube = made_cube(dates=2)
    said = MODELS[name].predict(with_valid(cube, holes(cube, "sample")))
    assert torch.isfinite(said.logits).all()
    assert said.probabilities[0].isnan().all()
    assert not said.classes[0].any() if name == "several" else (said.classes[0] == -1).all()
    seen = said.probabilities[1] if said.present.ndim == 1 else said.probabilities[1, :, said.present[1]]
    assert torch.isfinite(seen).all()
    close(seen.sum(dim=0), torch.ones(seen.shape[1:])) if name != "several" else None
    everywhere = MODELS[name].predict(cube)
    assert everywhere.present is None
    assert torch.isfinite(everywhere.probabilities).all()


@pytest.mark.parametrize("what", ["pixels", *ABSENT])
def test_pixels_are_answered_where_something_was_measured(what):
    cube = made_cube(dates=2)
    valid = holes(cube, what)
    seen = valid.any(dim=2)
    found = MODELS["segmentation"].predict(with_valid(cube, valid)).classes
    assert torch.equal(found >= 0, seen.any(dim=1))
    found = MODELS["difference"].predict(with_valid(cube, valid)).classes
    assert torch.equal(found >= 0, seen.all(dim=1))


@each_head
@pytest.mark.parametrize("what", ["pixels", *ABSENT])
def test_samples_do_not_know_each_other(name, what):
    """Permuted samples give permuted answers; a sample with holes does not change the others."""
    model, cube = MODELS[name], made_cube(dates=2, batch=3)
    valid = holes(cube, what)
    valid[2] = True
    with torch.no_grad():
        logits = model(with_valid(cube, valid))
        close(model(taken(with_valid(cube, valid), [2, 0, 1])), logits[[2, 0, 1]])
        close(model(taken(cube, [2])), logits[2:])
        assert (model(cube)[0] - logits[0]).abs().max() > 1e-3, "the holes count where they are"


@each_head
def test_all_valid_said_or_not(name):
    cube = made_cube(dates=2)
    with torch.no_grad():
        said = MODELS[name](with_valid(cube, torch.ones(cube.shape, dtype=torch.bool)))
        close(said, MODELS[name](cube), 2e-5)


def test_the_pooled_mean_is_over_present_tokens():
    features = torch.arange(12.0).reshape(2, 6, 1)
    present = torch.tensor([[True, True, False, True, False, False], [True, False, False, False, False, False]])
    plain, skipping = (PooledHead(PooledConfig(2, skip_first=skip), 1) for skip in (False, True))
    assert plain.pool(features, None).flatten().tolist() == [2.5, 8.5]
    assert skipping.pool(features, None).flatten().tolist() == [3.0, 9.0]
    close(plain.pool(features, present).flatten(), torch.tensor([4 / 3, 6.0]))
    assert skipping.pool(features, present).flatten().tolist() == [2.0, 6.0], "alone, the first token counts"
    assert skipping.pool(features[:, :1], None).flatten().tolist() == [0.0, 6.0]
    assert plain.pool(features, torch.zeros_like(present)).flatten().tolist() == [0.0, 0.0]


# -- absence in the dense head -----------------------------------------------------------------------------------------


def map_with_holes(dtype: torch.dtype = torch.float32) -> tuple[DenseHead, Tensor, Tensor]:
    torch.manual_seed(0)
    head = DenseHead(DenseConfig(3, **SMALL), 48, 8).to(dtype).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    features = torch.randn(2, 48, 7, 5, dtype=dtype) + 1
    present = torch.rand(2, 7, 5) > 0.3
    present[0, :3] = False  # some of the pooling's windows see nothing
    return head, features, present


def at_present(logits: Tensor, present: Tensor) -> Tensor:
    pixels = present.repeat_interleave(8, dim=-2).repeat_interleave(8, dim=-1)
    return torch.where(pixels[:, None], logits, 0.0)


def test_present_everywhere_is_nothing_absent():
    head, features, present = map_with_holes(torch.float64)
    close(head([Merged(features, torch.ones_like(present))]), head([Merged(features, None)]), 1e-10)


@pytest.mark.parametrize("broken", [None, "group_norm", "where"])
def test_features_at_absent_places_change_no_pixel_at_present_ones(broken, monkeypatch):
    """The test also detects norms, or a whole head, that take absent places for present."""
    head, features, present = map_with_holes()
    if broken == "group_norm":
        monkeypatch.setattr(dense, "group_norm", lambda x, norm, where: norm(x))
    shown = None if broken == "where" else present
    found = []
    for constant in (0.0, 100.0, -3.0):
        filled = torch.where(present[:, None], features, constant).requires_grad_()
        logits = at_present(head([Merged(filled, shown)]), present)
        logits.square().sum().backward()
        found.append((logits, torch.where(present[:, None], 0.0, filled.grad)))
    assert all(torch.isfinite(logits).all() for logits, _ in found)
    untouched = all(torch.equal(logits, found[0][0]) and not into.any() for logits, into in found)
    assert untouched == (broken is None)


def test_group_norm_is_over_present_pixels():
    _, features, present = map_with_holes(torch.float64)
    norm = nn.GroupNorm(16, 48).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    found = dense.group_norm(torch.where(present[:, None], features, torch.nan), norm, present[:, None])
    for sample, where, got in zip(features, present, found, strict=True):
        # the module's own norm, on an image of only the present pixels
        alone = norm(sample[:, where][None, :, None])[0, :, 0]
        close(got[:, where], alone, 1e-12)
        close(got[:, ~where], norm.bias[:, None].expand(-1, int((~where).sum())), 1e-12)


def test_norms_statistics_are_not_bfloat16():
    norm = nn.GroupNorm(16, 32)
    x = (torch.randn(1, 32, 64, 64, generator=torch.Generator().manual_seed(0)) + 20).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = dense.group_norm(x, norm, torch.ones(1, 1, 64, 64, dtype=torch.bool))
    close(found.float(), norm(x.float()))


def test_enlarging_is_over_present_pixels():
    _, features, present = map_with_holes()
    found = [dense.resize(torch.where(present[:, None], features, junk), (28, 20), present[:, None]) for junk in (0, 9)]
    assert torch.equal(*found)
    constant = dense.resize(
        torch.where(present[:, None], 5.0, torch.nan).expand(2, 3, 7, 5), (28, 20), present[:, None]
    )
    pixels = present.repeat_interleave(4, dim=-2).repeat_interleave(4, dim=-1)
    close(constant[pixels[:, None].expand_as(constant)], torch.tensor(5.0).expand(3 * int(pixels.sum())))
    everywhere = torch.ones_like(present)[:, None]
    close(dense.resize(features, (28, 20), everywhere), dense.resize(features, (28, 20)))
    assert not dense.resize(features, (28, 20), ~everywhere).any()


def test_pooling_is_over_present_places():
    """A maximum of negative values is not the zero of an absent place."""
    head, _, present = map_with_holes()
    coarse = torch.full((2, 64, 7, 5), -4.0)
    wanted = head._pyramid_pooling(coarse, None, None)
    filled = [torch.where(present[:, None], coarse, junk) for junk in (0.0, 100.0)]
    seen: list[Tensor] = []
    hooks = [conv.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for conv in head.pooled]
    one, other = (head._pyramid_pooling(each, present[:, None], None) for each in filled)
    for hook in hooks:
        hook.remove()
    inside = present[:, None].expand_as(one)
    assert torch.equal(one[inside], other[inside])
    assert {float(value) for each in seen for value in each.unique()} == {-4.0, 0.0}
    assert [int((each == 0).any(dim=1).sum()) for each in seen] == [int((each == 0).any(dim=1).sum()) for each in seen]
    assert torch.isfinite(wanted).all()


def test_a_hole_of_all_bands_stays_a_hole():
    """Pixels around a region without measurements depend on its absence only."""
    model, cube = MODELS["segmentation"], made_cube()
    valid = torch.ones(cube.shape, dtype=torch.bool)
    valid[:, :, :, 8:16, 8:24] = False
    seen = []
    hook = model.head.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))
    model(with_valid(cube, valid))
    hook.remove()
    assert torch.equal(seen[0].present[0], valid[0, 0, 0, ::8, ::8])
    assert not seen[0].features[:, :, 1, 1:3].any()


# -- groups and dates merged -------------------------------------------------------------------------------------------


def test_merging_is_on_one_scale_whatever_is_absent():
    """Equal groups of equal weight give the same sum, whatever their number."""
    merge = Merge(tuple(group.wavelength for group in NATIVE.groups), 6)
    nn.init.constant_(merge.weight, 0.3)
    nn.init.constant_(merge.bias, 0.0)
    one = torch.randn(1, 1, 1, 2, 2, 6)
    wanted = 4 * 0.3 * one[0, 0, 0].permute(2, 0, 1)[None]
    close(merge(one.expand(-1, -1, 4, -1, -1, -1), None, NATIVE).features, wanted)
    for own in (1, 2, 6):
        bands = made_cube(narrow_bands(3 * own), 8, 8, own=True).bands
        close(merge(one.expand(-1, -1, own, -1, -1, -1), None, bands).features, wanted)
    present = torch.tensor([True, False, False, True]).reshape(1, 1, 4, 1, 1).expand(1, 1, 4, 2, 2)
    features = torch.where(present[..., None], one.expand(-1, -1, 4, -1, -1, -1), 0.0)
    close(merge(features, present, NATIVE).features, wanted)
    fewer = merge(features[:, :, [0, 3]], None, NATIVE.subset([0, 1, 2, 9, 10, 11]))
    close(fewer.features, wanted)


def test_native_groups_have_their_own_weight_and_others_one_between():
    merge = Merge(tuple(group.wavelength for group in NATIVE.groups), 4)
    with torch.no_grad():
        merge.weight[:] = torch.tensor([1.0, 10.0, 100.0, 1000.0])
        merge.bias[:] = 0.5
    units = torch.eye(4).reshape(1, 1, 4, 1, 1, 4)
    assert merge(units, None, NATIVE).features.flatten().tolist() == [1.5, 10.5, 100.5, 1000.5]
    between = made_cube(narrow_bands(1), 8, 8, own=True).bands  # 410 nm, below the first
    assert merge(torch.ones(1, 1, 1, 1, 1, 4), None, between).features.flatten().tolist() == [4.5] * 4


@each_head
def test_the_order_of_unknown_dates_does_not_matter(name):
    model, cube = MODELS[name], made_cube(dates=3)
    cube = with_valid(cube, holes(cube, "region"))
    with torch.no_grad():
        if name in CHANGE:
            after = made_cube(dates=1, seed=4)
            one, other = (model(with_dates(cube, order), after) for order in ([0, 1, 2], [2, 0, 1]))
        else:
            one, other = (model(with_dates(cube, order)) for order in ([0, 1, 2], [2, 0, 1]))
    if name == "skip first":
        assert (one - other).abs().max() < 0.1, "another token is the first"
    else:
        close(one, other, 2e-5)


# "skip first" leaves out the first token that is present, so it is another one
@pytest.mark.parametrize("name", [name for name in HEADS if name != "skip first"])
def test_absent_dates_count_nothing(name):
    model, cube = MODELS[name], made_cube(dates=3)
    valid = torch.ones(cube.shape, dtype=torch.bool)
    valid[:, 1] = False
    after = (made_cube(dates=1, seed=4),) if name in CHANGE else ()
    with torch.no_grad():
        gapped = model(with_dates(with_valid(cube, valid), [0, 1, 2]), *after)
        close(gapped, model(with_dates(cube, [0, 2]), *after), 2e-5)
        assert (gapped - model(with_dates(cube, [0, 1, 2]), *after)).abs().max() > 1e-3


# -- gradients ---------------------------------------------------------------------------------------------------------


def without_gradient(model: nn.Module, *cubes: Cube) -> set[str]:
    """Parameters without a gradient, or with one that is negligible next to the largest."""
    model.zero_grad()
    model(*cubes).square().mean().backward()
    sizes = {name: 0.0 if p.grad is None else float(p.grad.abs().max()) for name, p in model.named_parameters()}
    return {name for name, size in sizes.items() if size < 1e-6 * max(sizes.values())}


DATED = {f"encoder.positions.{table}" for table in ("season", "elapsed", "scale")}
NORM = {"encoder.norm.weight", "encoder.norm.bias"}
CANCELLED = {
    "difference": {"merge.bias", "encoder.blocks.1.mlp.fc2.bias"},
    # each time is normalized alone, so that what is added to both still counts
    "light difference": {"merge.bias"},
    "light distance": {"merge.bias"},
}


@each_head
@pytest.mark.parametrize("absent", [False, True])
def test_gradients_reach_every_parameter(name, absent):
    """Except those that the paper's do not reach: the final norm of dense models, and terms that are equal on both
    times of a difference. Tables of dates and scale need dates and a scale, the score of dates more than one date."""
    model = made(name).double()
    never = (NORM if name in DENSE else set()) | CANCELLED.get(name, set())

    def cube(dates: int, seed: int, known: bool) -> Cube:
        made = made_cube(dates=dates, seed=seed)
        values = made.values.double()
        if not known:
            made = replace(made, days=torch.full_like(made.days, -1), gsd=torch.full_like(made.gsd, torch.nan))
        scaling = replace(made.scaling, centre=made.scaling.centre.double(), scale=made.scaling.scale.double())
        valid = torch.ones(made.shape, dtype=torch.bool)
        valid[0, 0, :, :8, :16] = False  # on one date of each time, so that no table loses all its tokens
        return replace(made, values=values, scaling=scaling, valid=valid if absent else None)

    def times(dates: int, known: bool) -> list[Cube]:
        return [cube(dates, seed, known) for seed in (range(2) if name in CHANGE else range(1))]

    score = {"merge.date_score"} if name in DENSE else set()
    assert without_gradient(model, *times(1, known=False)) == never | DATED | score
    assert without_gradient(model, *times(2, known=True)) == never
    for block in model.encoder.blocks:
        query, key, value = block.attn.qkv.bias.grad.chunk(3)
        assert key.abs().max() < 1e-9 * max(query.abs().max(), value.abs().max())


# -- any size ----------------------------------------------------------------------------------------------------------

SIDES = [(8, 8), (20, 20), (40, 40), (56, 72), (96, 96), (100, 100), (128, 128)]
BANDS = {"native": NATIVE.bands, "6 groups": narrow_bands(18), "2 groups": narrow_bands(6), "one band": narrow_bands(1)}


@pytest.mark.parametrize("side", SIDES, ids=str)
@pytest.mark.parametrize("name", ["hidden", "skip first", *DENSE])
def test_any_size_bands_and_dates(name, side):
    model = MODELS[name]
    for number, (kind, bands) in enumerate(BANDS.items()):
        dates = 1 + (number + side[0] // 8) % (3 if max(side) < 90 else 2)
        own = kind != "native"
        cubes = [made_cube(bands, *side, batch=1, dates=dates, own=own)]
        if name in CHANGE:
            cubes.append(made_cube(bands, *side, batch=1, own=own, seed=1))
        with torch.no_grad():
            logits = model(*cubes)
        assert logits.shape == ((1, model.head.config.classes, *side) if name in DENSE else (1, 5)), (kind, dates)
        assert torch.isfinite(logits).all(), (kind, dates)
        assert logits.std() > 1e-3


def test_one_place_of_a_head_with_one_channel_a_group():
    model = Segmentation(ModelConfig(SIZE, NATIVE), DenseConfig(3, (32,) * 4, (16,) * 3, 16)).eval()
    cube = made_cube(height=8, width=8, batch=1)
    # PyTorch's own module refuses one value per group. The numbers mean nothing: a norm of a zero variance magnifies
    # rounding
    for each in (cube, with_valid(cube, torch.ones(cube.shape, dtype=torch.bool))):
        assert model(each).shape == (1, 3, 8, 8)
        assert torch.isfinite(model(each)).all()


@pytest.mark.parametrize("patch", [4, 12])
def test_other_patches(patch):
    model = made("segmentation", patch=patch)
    for height, width in ((12, 20), (36, 24)):
        assert model(made_cube(height=height, width=width)).shape == (2, 4, height, width)
    with pytest.raises(OptionError, match="found patches of 6 pixels; expected a multiple of 4"):
        made("segmentation", patch=6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PooledConfig(0), "found 0 classes.*expected at least one class"),
        (lambda: PooledConfig(3, dropout=1.0), r"dropout 1\.0; expected"),
        (lambda: DenseConfig(0), "found 0 classes"),
        (lambda: DenseConfig(3, widths=(32, 32, 48, 64)), r"widths \(32, 32, 48, 64\).*multiples of 32"),
        (lambda: DenseConfig(3, channels=24), "24 channels.*channels of 16"),
        (lambda: Segmentation(ModelConfig(SIZE, NATIVE), DenseConfig(3, block=3)), "block 3; expected one of .* 2"),
        (lambda: small_model().set_drop_path(1.0), r"drop path of 1\.0; expected a rate from 0 to below 1"),
        (lambda: small_model().set_drop_path(-0.1), r"drop path of -0\.1"),
    ],
)
def test_options_that_make_no_head(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_the_block_that_is_read():
    cube, second = made_cube(), made("segmentation")
    first = Segmentation(second.config, DenseConfig(4, block=1, **SMALL)).eval()
    first.load_state_dict(second.state_dict())
    with torch.no_grad():
        last = second(cube)
        wanted = first(cube)
        assert (wanted - last).abs().max() > 1e-3
        first.encoder.blocks[1].mlp.fc1.weight.zero_()
        assert torch.equal(first(cube), wanted), "blocks behind it do not count"


# -- pixels in place ---------------------------------------------------------------------------------------------------


@each_dense
@pytest.mark.parametrize("side", [(40, 24), (37, 52)], ids=str)
def test_a_changed_patch_changes_its_own_logits_most(name, side):
    """Without attention a token depends only on its own patch; norms and pooling still see everything."""
    model = made(name)
    with torch.no_grad():
        for block in model.encoder.blocks:
            block.attn.proj.weight.zero_()
            block.attn.proj.bias.zero_()
        cube = made_cube(height=side[0], width=side[1], dates=2, batch=1)
        before = model(cube)
        rows, columns = -(-side[0] // 8), -(-side[1] // 8)
        for row, column in ((0, 0), (0, columns - 1), (rows - 1, 0), (1, 2), (2, 1), (rows - 1, columns - 1)):
            values = cube.values.clone()
            values[:, 0, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 1
            off = (model(replace(cube, values=values)) - before).abs().mean(dim=1)
            off = F.pad(off, (0, 8 * columns - side[1], 0, 8 * rows - side[0]))
            patches = off.reshape(rows, 8, columns, 8).amax(dim=(1, 3))
            assert divmod(int(patches.argmax()), columns) == (row, column)


def drawn_images(count: int, height: int, width: int, seed: int) -> tuple[Cube, Tensor]:
    """Noise with bright corners and bars, another shape in each image, and their masks. Nothing is symmetric."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((count, height, width), bool)
    for each in truth:
        row, column = rng.integers(0, height - 8), rng.integers(0, width - 8)
        each[row : row + 11, column : column + 3] = True  # an L: long down, short to the right
        each[row + 8 : row + 11, column : column + 7] = True
        edge = rng.integers(0, height)
        each[edge : edge + 2, : width // 3] = True
    values = rng.integers(500, 900, (count, 1, 12, height, width)) + 2500 * truth[:, None, None]
    pixels = replace(made_pixels(NATIVE.bands, height, width, batch=count), values=values.astype(np.uint16))
    return make_cube(pixels, NATIVE, MIN_MAX, 128), torch.from_numpy(truth)


def overlap(found: Tensor, truth: Tensor) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def test_a_trained_mask_comes_back_in_place():
    """Trained on some images, tested on others, with another shape that is not a multiple of the patch."""
    torch.manual_seed(0)
    model = Segmentation(ModelConfig(SIZE, NATIVE), DenseConfig(2, **SMALL, dropout=0.0, level_dropout=0.0)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(70):
        cube, truth = drawn_images(4, 32, 24, seed=step)
        loss = F.cross_entropy(model(cube), truth.long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    for height, width in ((32, 24), (24, 40), (29, 43)):
        cube, truth = drawn_images(6, height, width, seed=1000)
        found = model.predict(cube).classes == 1
        here = overlap(found, truth)
        print(f"{height} x {width}: intersection over union {here:.3f}")
        assert here > 0.6
        for moved in (found.roll(1, 1), found.roll(-1, 1), found.roll(1, 2), found.roll(-1, 2), found.flip(1)):
            assert overlap(moved, truth) < here


# -- change ------------------------------------------------------------------------------------------------------------


def head_input(model: ChangeDetection, *cubes: Cube) -> Merged:
    seen: list[Merged] = []
    hook = model.head.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))
    with torch.no_grad():
        model(*cubes)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("what", [None, "pixels", "region"])
def test_swapping_the_times(what):
    cube = made_cube(dates=2)
    cube = cube if what is None else with_valid(cube, holes(cube, what))
    before, after = cube.at_date(0), cube.at_date(1)
    one, other = (head_input(MODELS["difference"], *each) for each in ((before, after), (after, before)))
    close(one.features, -other.features)
    assert one.features.abs().max() > 0.1
    one, other = (head_input(MODELS["concatenation"], *each) for each in ((before, after), (after, before)))
    close(one.features, other.features.roll(SIZE.dim, dims=1))


def test_no_change_is_the_logits_of_nothing():
    cube, model = made_cube(), MODELS["difference"]
    merged = head_input(model, cube, cube)
    close(merged.features, torch.zeros_like(merged.features))
    with torch.no_grad():
        close(model(cube, cube), model.head([Merged(torch.zeros_like(merged.features), None)])[..., :24, :32], 1e-4)


@each_change
def test_one_cube_of_two_dates_is_two_cubes(name, monkeypatch):
    model, cube = MODELS[name], made_cube(dates=2)
    with torch.no_grad():
        for each in (cube, with_valid(cube, holes(cube, "region"))):
            together = model(each)
            assert torch.equal(together, model(each.at_date(0), each.at_date(1)))
            halves = model.predict(each), model.predict(each.at_date(0), each.at_date(1))
            assert torch.equal(halves[0].classes, halves[1].classes)
            with monkeypatch.context() as patched:
                patched.setattr(Cube, "stacks_with", lambda self, other: False)
                close(model(each), together, 2e-5)
        # one time is valid everywhere, the other is not
        half = with_valid(cube, holes(cube, "region")).at_date(0)
        mixed = model(half, cube.at_date(1))
        monkeypatch.setattr(Cube, "stacks_with", lambda self, other: False)
        close(model(half, cube.at_date(1)), mixed, 2e-5)


@each_change
def test_two_times_of_other_bands_and_dates(name):
    model, before = MODELS[name], made_cube(dates=2)
    others = {
        "fewer bands": made_cube(NATIVE.bands[:7], seed=1),
        "own groups": made_cube(narrow_bands(7), own=True, seed=1),
        "other units": made_cube(kind="min_max", seed=1),
        "three dates": made_cube(dates=3, seed=1),
        "two dates": made_cube(dates=2, seed=1),
    }
    for what, after in others.items():
        with torch.no_grad():
            logits = model(before, after)
        assert logits.shape == (2, 2, 24, 32), what
        assert torch.isfinite(logits).all(), what
        gone = torch.ones(after.shape, dtype=torch.bool)
        gone[1, :, :, 4:12] = False
        said = model.predict(before, with_valid(after, gone))
        assert torch.equal(said.classes >= 0, gone[:, 0, 0]), what
    assert before.stacks_with(others["two dates"])
    assert not any(before.stacks_with(each) for what, each in others.items() if what != "two dates")


def test_times_that_do_not_fit():
    model = MODELS["difference"]
    for dates in (1, 3):
        with pytest.raises(OptionError, match=f"found {dates} dates; expected 2, before and after"):
            model(made_cube(dates=dates))
        with pytest.raises(OptionError, match=f"found {dates} dates"):
            model.predict(made_cube(dates=dates))
    with pytest.raises(OptionError, match=r"found 2 images of 24 x 32 .* 2 of 24 x 40 after; expected the same places"):
        model(made_cube(), made_cube(width=40))
    with pytest.raises(OptionError, match=r"found 2 images of 24 x 32 .* 1 of 24 x 32 after"):
        model(made_cube(), made_cube(batch=1))


def test_dates_of_a_cube():
    cube = made_cube(dates=3, kind="min_max")
    cube = with_valid(cube, holes(cube, "date"))
    parts = [cube.at_date(date) for date in range(3)]
    for date, part in enumerate(parts):
        assert part.shape == (2, 1, 12, 24, 32)
        assert torch.equal(part.values[:, 0], cube.values[:, date])
        assert torch.equal(part.valid[:, 0], cube.valid[:, date])
        assert torch.equal(part.days[:, 0], cube.days[:, date])
        torch.testing.assert_close(part.reflectance()[:, 0], cube.reflectance()[:, date], equal_nan=True)
    stacked = parts[0].stacked(replace(parts[2], valid=None))
    assert stacked.shape == (4, 1, 12, 24, 32)
    assert stacked.valid[2:].all()
    assert torch.equal(stacked.valid[:2], parts[0].valid)
    assert torch.equal(stacked.days.flatten(), torch.cat([cube.days[:, 0], cube.days[:, 2]]))
    whole = torch.cat([parts[0].reflectance(), replace(parts[2], valid=None).reflectance()])
    torch.testing.assert_close(stacked.reflectance(), whole, equal_nan=True)
    assert replace(parts[0], valid=None).stacked(replace(parts[1], valid=None)).valid is None


# -- in training -------------------------------------------------------------------------------------------------------


def test_drop_path_of_a_branch():
    torch.manual_seed(0)
    branch = torch.randn(3, 4, 5)
    draws = torch.stack([drop_path(branch, 0.4) for _ in range(4000)])
    # a sample is dropped as a whole, or not at all
    kept = (draws != 0).flatten(2)
    assert torch.equal(kept.all(dim=2), kept.any(dim=2))
    assert torch.equal(draws[kept.all(dim=2)], (branch / 0.6).expand_as(draws)[kept.all(dim=2)])
    shares = kept.all(dim=2).float()
    close(shares.mean(dim=0), torch.full((3,), 0.6), 4 * (0.24 / 4000) ** 0.5)
    assert torch.corrcoef(shares.T).fill_diagonal_(0).abs().max() < 0.08, "each sample for itself"
    close(draws.mean(dim=0), branch, 4 * float(branch.abs().max()) * (0.4 / 0.6 / 4000) ** 0.5)


@pytest.mark.parametrize("name", [*HEADS, "autoencoder"])
def test_drop_path_and_dropout_are_in_training_only(name):
    model = small_model() if name == "autoencoder" else made(name)
    cube = made_cube(dates=2)

    def run() -> Tensor:
        with torch.no_grad():
            return model.embed(cube) if name == "autoencoder" else model(cube)

    wanted = run()
    model.set_drop_path(0.5)
    assert [block.drop_path for block in model.encoder.blocks] == [0.0, 0.5]
    assert torch.equal(run(), wanted), "nothing is dropped in evaluation"
    for module in model.modules():
        if isinstance(module, Dropout):
            module.rate = 0.0
    model.train()
    torch.manual_seed(0)
    assert len({float(run().double().sum()) for _ in range(8)}) > 2
    model.set_drop_path(0.0)
    assert torch.equal(run(), wanted), "a rate of 0 leaves nothing out"
    if name != "autoencoder":
        dropping = made(name).train()
        with torch.no_grad():
            assert not torch.equal(dropping(cube), dropping(cube))
            dropping.eval()
            assert torch.equal(dropping(cube), dropping(cube))


def test_the_first_block_is_never_left_out():
    model, seen = made("pooled").train(), []
    model.set_drop_path(0.9)
    hook = model.encoder.blocks[0].register_forward_hook(lambda *each: seen.append(each[2]))
    with torch.no_grad():
        for _ in range(5):
            model(made_cube())
    hook.remove()
    assert all(torch.equal(each, seen[0]) for each in seen)

"""The released fine-tuned models, number by number. Tolerances and their reasons: tests/golden/README.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import golden_numbers as golden
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spectralgpt.nn import Cube, ModelConfig, class_loss
from spectralgpt.nn.dropping import drop_path_rates
from spectralgpt.tasks import ChangeDetection, Classification, Segmentation
from spectralgpt.training import make_optimizer
from spectralgpt.weights import Released, describe_released, from_released, to_released
from spectralgpt.weights.released_tensors import OWN_TABLES

SMALL = ["cls_joint", "change_small", "segment_small"]
FULL = ["full_cls_base_128", "full_change_base_128", "full_segment_base_128"]
GRADIENT = {"cls_joint": 2e-5, "change_small": 6e-5, "segment_small": 3e-4}
"""Float32 gradients. The dense cases do not reach the golden folder's 2e-5: their attention's gradients are a
thousandth of the case's largest. Ours are at 3.9e-5 and 1.6e-4; with materialized softmax and no oneDNN it is 1.9e-5
and 6e-5."""
KINDS = {"classify": "classification", "change": "change", "segment": "segmentation"}


def small(case: str, dtype: torch.dtype) -> tuple[dict, dict, nn.Module, Released]:
    about = golden.load_json("cases.json")["small"][case]
    stored = golden.load_tensors(about["file"])
    if "state_dict" in about:
        state = {name: torch.from_numpy(golden.rule_weight(name, tuple(s))) for name, s in about["state_dict"].items()}
    else:
        state = {k.removeprefix("weight/"): torch.from_numpy(v) for k, v in stored.items() if k.startswith("weight/")}
    return stored, about, *built(state, case, KINDS[about["family"]], dtype, about["config"]["num_heads"])


def built(state: dict[str, Tensor], case: str, kind: str, dtype: torch.dtype, heads: int | None = None):
    released = describe_released(state, case, task=kind, heads=heads)
    model = released.task.made(released.config, released.head)
    model.load_state_dict(from_released(state, released, case))
    return model.to(dtype).eval(), released


def cube_of(images: list[Tensor], config: ModelConfig) -> Cube:
    """One image is one date."""
    cubes = [golden.unit_cube(image, config) for image in images]
    if len(cubes) == 1:
        return cubes[0]
    flat = torch.zeros(cubes[0].shape[0], len(cubes), cubes[0].shape[2], dtype=images[0].dtype)
    return replace(
        cubes[0],
        values=torch.cat([cube.values for cube in cubes], dim=1),
        days=torch.cat([cube.days for cube in cubes], dim=1),
        scaling=replace(cubes[0].scaling, centre=flat, scale=flat + 1),
    )


@contextmanager
def watched(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """All intermediate results by their golden names; the change model's dates follow one another in a batch."""
    seen, hooks = {}, []

    def keep(module: nn.Module, name: str, before: bool = False) -> None:
        def hook(_module, inputs, out=None):
            value = inputs[0] if before else out
            if isinstance(model, ChangeDetection) and name.startswith("enc_"):
                for date, part in enumerate(value.chunk(2), start=1):
                    seen[f"{name}_date{date}"] = part
            else:
                seen[name] = value

        hooks.append(module.register_forward_pre_hook(hook) if before else module.register_forward_hook(hook))

    keep(model.encoder.blocks[0], "enc_in", before=True)
    for number, block in enumerate(model.encoder.blocks):
        keep(block, f"enc_block_{number}")
    keep(model.encoder.embedding, "patch_embed_out")
    if isinstance(model, Classification):
        keep(model.encoder.norm, "pooled", before=True)
        keep(model.encoder.norm, "pooled_norm")
    else:
        head = model.head
        keep(head.levels[0].conv, "head_in", before=True)
        for number, level in enumerate(head.levels):
            keep(level, f"head_m{number}")
        keep(head.pool_fusion, "head_x1")
        for number, fusion in enumerate(head.fusions, start=2):
            keep(fusion, f"head_x{number}")
        keep(head.fuse_all, "head_fused")
    yield seen
    for hook in hooks:
        hook.remove()


def run(model: nn.Module, images: list[Tensor], config: ModelConfig) -> dict[str, Tensor]:
    with watched(model) as seen:
        logits = model(cube_of(images, config))
        if isinstance(model, Segmentation) and model.blocks[-1] < config.size.depth:
            # the released code also computes the blocks after the one that it reads
            model.features(cube_of(images, config), at=(config.size.depth,))
    output = logits.log_softmax(dim=1) if isinstance(model, ChangeDetection) else logits
    groups = len(config.bands.groups)
    if "patch_embed_out" in seen:
        seen["patch_embed_out"] = seen["patch_embed_out"].unflatten(1, (groups, -1))
    return seen | {"logits": logits, "output": output}


def loss_of(output: Tensor, stored: dict, about: dict) -> Tensor:
    label = torch.from_numpy(stored["label"]).long()
    weights = torch.tensor(about["class_weights"], dtype=output.dtype) if about["family"] == "change" else None
    return class_loss(output, label, label != 255, weights=weights).mean


def images_of(stored: dict, dtype: torch.dtype) -> list[Tensor]:
    return [torch.from_numpy(stored[name]).to(dtype) for name in sorted(stored) if name.startswith("image")]


def gradients_of(model: nn.Module, released: Released) -> dict[str, Tensor]:
    """By their names; those of our own tables, which the released model does not have, must be zero or absent."""
    found = {}
    for name, parameter in model.named_parameters():
        if name.endswith(OWN_TABLES):
            found[name] = torch.zeros_like(parameter)
        else:
            found[name] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    return to_released(found, released)


@pytest.mark.parametrize("case", SMALL)
def test_float64_equals_every_stored_tensor(case):
    stored, about, model, released = small(case, torch.float64)
    images = images_of(stored, torch.float64)
    for key, image in zip(about.get("image_keys", [about.get("image_key")]), images, strict=True):
        np.testing.assert_array_equal(golden.rule(key, tuple(image.shape)).astype("f4"), image)
    seen = run(model, images, released.config)
    loss = loss_of(seen["output"], stored, about)
    assert abs(loss.item() - about["loss"]) < 1e-9
    assert abs(loss.item() - float(stored["loss"][0])) < 1e-9
    compared = {"loss", "label"} | {name for name in stored if name.startswith(("image", "weight/"))}
    for name, wanted in stored.items():
        key = name.removeprefix("act/")
        if key.endswith("_ch8"):
            assert golden.largest(seen[key.removesuffix("_ch8")][:, ::8], wanted) < 1e-6, name
        elif name.startswith("act/") or name == "output":
            assert golden.largest(seen[key], wanted) < 1e-9, name
        else:
            continue
        compared.add(name)
    loss.backward()
    gradients = gradients_of(model, released)
    without = {name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()}
    named = {each.name for each in released.layout if each.ours in without}
    assert set(about["params_without_gradient"]) <= named
    wanted = {name[5:]: values for name, values in stored.items() if name.startswith("grad/")}
    summary = about.get("grad_summary", {})
    top = max(float(np.abs(values).max()) for values in wanted.values())
    for name, values in wanted.items():
        assert golden.largest(gradients[name], values) < 3e-7 * top, name
        compared.add(f"grad/{name}")
    for name, (norm, dot) in summary.items():
        golden.assert_gradient_as_summarized(gradients[name], norm, dot, name)
    assert wanted.keys() | summary.keys() | set(about["params_without_gradient"]) == gradients.keys()
    assert set(stored) == compared, f"not compared: {set(stored) - compared}"


@pytest.mark.parametrize("case", SMALL)
def test_float32_is_as_close_as_the_released_code(case):
    stored, about, model, released = small(case, torch.float32)
    seen = run(model, images_of(stored, torch.float32), released.config)
    if about["family"] == "classify":
        assert golden.largest(seen["logits"], stored["act/logits"]) < 1e-5
    else:
        assert golden.largest(seen["output"], stored["output"]) < 5e-5
    loss = loss_of(seen["output"], stored, about)
    assert loss.item() == pytest.approx(about["loss"], rel=2e-6)
    loss.backward()
    gradients = gradients_of(model, released)
    wanted = {name[5:]: values for name, values in stored.items() if name.startswith("grad/")}
    # of all gradients, also of those that are only stored as a summary
    top = max(float(each.abs().max()) for each in gradients.values())
    for name, values in wanted.items():
        scale = max(float(np.abs(values).max()), top / 1000)
        assert golden.largest(gradients[name], values) < GRADIENT[case] * scale, name


@pytest.mark.parametrize("case", FULL)
def test_full_size_summary(case):
    about = golden.load_json("cases.json")["full"][case]
    variant = f"{about['family']}/{about['factory']}" + (
        f"+num_classes={about['num_classes']}" if "num_classes" in about else ""
    )
    keys = golden.load_json("official_keys.json")["models"][variant]["keys"]
    # made once for both types, as making them takes longer than the model
    state = {name: torch.from_numpy(golden.rule_weight(name, tuple(shape))) for name, shape in keys.items()}
    for dtype in (torch.float64, torch.float32):
        assert_full_size(case, about, state, dtype)


def assert_full_size(case: str, about: dict, state: dict[str, Tensor], dtype: torch.dtype) -> None:
    family = about["family"]
    model, released = built(state, case, KINDS[family], dtype)
    images = [
        torch.from_numpy(golden.rule(key, (1, 12, 128, 128)).astype("f4")).to(dtype)
        for key in about.get("image_keys", [about.get("image_key")])
    ]
    with torch.no_grad():
        seen = run(model, images, released.config)
    if family == "classify":
        assert golden.largest(seen["logits"][0], about["logits"]) < (1e-9 if dtype == torch.float64 else 1e-5)
    else:
        histogram = torch.bincount(seen["output"].argmax(dim=1).flatten(), minlength=len(about["argmax_histogram"]))
        # float32 may flip a pixel with two almost equally likely classes
        off = np.abs(histogram.numpy() - about["argmax_histogram"]).sum()
        assert off == 0 if dtype == torch.float64 else off <= 4
    for name, wanted in about["tensors"].items():
        golden.assert_as_summarized(seen[name], wanted, name, 1e-9 if dtype == torch.float64 else 5e-5)


def test_fine_tuning_trace():
    """Six steps with layer-wise rates, in float64."""
    trace = golden.load_json("cases.json")["traces"]["finetune"]
    stored, about, model, released = small("cls_joint", torch.float64)
    images = images_of(stored, torch.float64)
    optimizer = make_optimizer(model, lr=1e-3, betas=(0.9, 0.999), layer_decay=0.75)
    for group in optimizer.param_groups:
        group["lr"] *= group["lr_scale"]
    for wanted in trace["losses_before_step"]:
        loss = loss_of(model(cube_of(images, released.config)), stored, about)
        assert loss.item() == pytest.approx(wanted, abs=1e-9)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def rates_by_released_name(model: nn.Module, released: Released) -> dict[str, tuple[float, float]]:
    groups = make_optimizer(model, lr=1.0, layer_decay=0.75).param_groups
    of = {id(each): (group["lr_scale"], group["weight_decay"]) for group in groups for each in group["params"]}
    ours = {name: of[id(each)] for name, each in model.named_parameters()}
    return {each.name: ours[each.ours] for each in released.layout}


def test_layer_decay_groups():
    """All layers of the released classifier; with separate tables all but those, which are layer 0 here (the released
    code gives them the last layer's full rate)."""
    groups = golden.load_json("cases.json")["misc"]["finetune_groups"]
    _, _, model, released = small("cls_joint", torch.float32)
    found = rates_by_released_name(model, released)
    assert found.keys() == groups["joint"].keys()
    for name, wanted in groups["joint"].items():
        assert found[name] == pytest.approx(wanted), name
    config = replace(released.config, joint_positions=False)
    assert isinstance(model, Classification)
    separate = Classification(config, model.head.config)
    of = {
        id(each): (group["lr_scale"], group["weight_decay"])
        for group in make_optimizer(separate, lr=1.0, layer_decay=0.75).param_groups
        for each in group["params"]
    }
    for table in ("place", "spectrum", "season", "elapsed", "scale"):
        assert of[id(separate.encoder.positions.get_parameter(table))] == pytest.approx((0.75**3, 0.0))
    layout = [each for each in released.layout if each.name != "pos_embed"]
    for each in layout:
        assert of[id(separate.get_parameter(each.ours))] == pytest.approx(groups["sep_cls"][each.name]), each.name


def test_drop_path_rates():
    for name, wanted in golden.load_json("cases.json")["misc"]["drop_path"].items():
        rate = float(name.split("rate ")[1].split()[0])
        # the released rates are float32
        assert drop_path_rates(12, rate) == pytest.approx(wanted, abs=1e-7), name


def test_the_segmentation_reads_block_12_of_a_deeper_encoder():
    _, _, model, _ = small("segment_small", torch.float32)
    assert isinstance(model, Segmentation)
    assert (model.blocks, model.config.size.depth) == ((12,), 13)

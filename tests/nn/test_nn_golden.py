"""The released pretraining model, number by number. Tolerances and their reasons: tests/golden/README.md."""

import golden_numbers as golden
import numpy as np
import pytest
import torch
from torch import Tensor

from spectralgpt import tasks
from spectralgpt.nn import MaskedAutoencoder, kept_count, normalized_target, random_mask, resize_table
from spectralgpt.nn.patches import to_slots, to_tokens
from spectralgpt.nn.slots import to_bands, to_slots_of_groups
from spectralgpt.training import cosine, make_optimizer
from spectralgpt.weights import Released, describe_released, from_released, to_released
from spectralgpt.weights.released import STATISTICS

CASES = ["mae_main", "mae_normpix"]


def small(case: str, dtype: torch.dtype) -> tuple[dict[str, np.ndarray], dict, MaskedAutoencoder]:
    about = golden.load_json("cases.json")["small"][case]
    stored = golden.load_tensors(about["file"])
    state = {k.removeprefix("weight/"): torch.from_numpy(v) for k, v in stored.items() if k.startswith("weight/")}
    hyper = about["config"]
    released = describe_released(state, case, heads=hyper["num_heads"], decoder_heads=hyper["decoder_num_heads"])
    model = MaskedAutoencoder(released.config)
    model.load_state_dict(from_released(state, released, case))
    return stored, about, model.to(dtype)


def official_gradients(model: MaskedAutoencoder) -> dict[str, Tensor]:
    tables = ("season", "elapsed", "scale")
    return to_released(
        {k: torch.zeros_like(p) if k.endswith(tables) else p.grad for k, p in model.named_parameters()},
        Released(tasks.find("pretraining"), model.config),
    )


def run(model: MaskedAutoencoder, image: Tensor, noise: Tensor, ratio: float, normalized: bool) -> dict[str, Tensor]:
    """All intermediate results by their golden names, the losses and the mask."""
    seen: dict[str, Tensor] = {}
    hooks = []

    def keep(module, name):
        hooks.append(module.register_forward_hook(lambda _m, _i, out: seen.__setitem__(name, out)))

    def keep_input(module, name):
        hooks.append(module.register_forward_pre_hook(lambda _m, args: seen.__setitem__(name, args[0])))

    keep_input(model.encoder.blocks[0], "enc_in")
    keep_input(model.decoder.blocks[0], "dec_in")
    for side, prefix in ((model.encoder, "enc"), (model.decoder, "dec")):
        for number, block in enumerate(side.blocks):
            keep(block, f"{prefix}_block_{number}")
        keep(side.norm, f"{prefix}_norm")
    keep(model.decoder.embed, "dec_embed_out")
    keep(model.decoder.head, "pred")
    cube = golden.unit_cube(image, model.config)
    mask = random_mask(noise, ratio)
    predicted = model(cube, mask)
    losses = model.losses(cube, mask, predicted, normalized=normalized)
    for hook in hooks:
        hook.remove()
    groups = len(model.config.bands.groups)
    tokens = to_tokens(to_slots_of_groups(cube.values, cube.bands), model.config.patch)
    slots = to_slots(predicted, model.config.patch, *model.grid_of(cube).shape)
    seen["unpatchified"] = to_bands(slots, model.config.bands)
    seen["patch_embed_out"] = model.encoder.embedding(tokens).unflatten(1, (groups, -1))
    return seen | {
        "loss_token": losses["token"].mean,
        "loss_spectral": losses["spectral"].mean,
        "loss": losses["token"].mean + losses["spectral"].mean,
        "mask": mask,
        "cube": cube,
    }


def test_rule_reproduces_its_vectors_and_the_stored_inputs():
    rule = golden.load_json("cases.json")["rule"]
    for key, (vector,) in rule["test_vectors"].items():
        np.testing.assert_array_equal(golden.rule(key, (6,)), vector)
    for case in CASES:
        stored = golden.load_tensors(f"{case}.safetensors")
        np.testing.assert_array_equal(golden.rule(f"image:{case}", stored["image"].shape).astype("f4"), stored["image"])
        for name, values in stored.items():
            if name.startswith("weight/"):
                np.testing.assert_array_equal(golden.rule_weight(name[7:], values.shape), values, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_float64_equals_every_stored_tensor(case):
    stored, about, model = small(case, torch.float64)
    image, noise = torch.from_numpy(stored["image"]).double(), torch.from_numpy(stored["noise"]).double()
    normalized = about["config"]["norm_pix_loss"]
    seen = run(model, image, noise, about["mask_ratio"], normalized)
    mask = seen["mask"]
    np.testing.assert_array_equal(mask.order, stored["ids_shuffle"])
    np.testing.assert_array_equal(mask.order.argsort(dim=1), stored["ids_restore"])
    np.testing.assert_array_equal(mask.index, stored["ids_keep"])
    np.testing.assert_array_equal(mask.hidden.float(), stored["mask"])
    checked = {"image", "noise", "ids_shuffle", "ids_restore", "ids_keep", "mask"}
    for name, wanted in stored.items():
        if name.startswith("act/"):
            assert golden.largest(seen[name[4:]], wanted) < 1e-9, name
            checked.add(name)
        elif name.startswith("loss"):
            assert abs(seen[name].item() - wanted[0]) < 1e-9, name
            checked.add(name)
    target, _ = model.targets(seen["cube"])
    assert golden.largest(target, stored["target_raw"]) < 1e-6

    if "target_token" in stored:
        assert golden.largest(normalized_target(target, None), stored["target_token"]) < 1e-9
    assert golden.largest(seen["unpatchified"], stored["unpatchified"]) < 1e-6
    seen["loss"].backward()
    gradients = official_gradients(model)
    wanted = {name[5:]: values for name, values in stored.items() if name.startswith("grad/")}
    top = max(float(np.abs(values).max()) for values in wanted.values())
    assert gradients.keys() == wanted.keys()
    for name, values in wanted.items():
        assert golden.largest(gradients[name], values) < 3e-7 * top, name
    rest = set(stored) - checked - {f"grad/{n}" for n in wanted} - {f"weight/{n}" for n in wanted}
    assert rest == {"target_raw", "unpatchified"} | ({"target_token"} if normalized else set()), f"not compared: {rest}"


@pytest.mark.parametrize("case", CASES)
def test_float32_is_as_close_as_the_released_code(case):
    stored, about, model = small(case, torch.float32)
    image, noise = torch.from_numpy(stored["image"]), torch.from_numpy(stored["noise"])
    seen = run(model, image, noise, about["mask_ratio"], about["config"]["norm_pix_loss"])
    for name, wanted in stored.items():
        if name.startswith("act/"):
            assert golden.largest(seen[name[4:]], wanted) < 1e-5, name
        elif name.startswith("loss"):
            assert seen[name].item() == pytest.approx(wanted[0], rel=2e-6), name
    seen["loss"].backward()
    wanted = {name[5:]: values for name, values in stored.items() if name.startswith("grad/")}
    assert official_gradients(model).keys() == wanted.keys()
    top = max(float(np.abs(values).max()) for values in wanted.values())
    for name, gradient in official_gradients(model).items():
        scale = max(float(np.abs(wanted[name]).max()), top / 1000)
        assert golden.largest(gradient, wanted[name]) < 2e-5 * scale, name


def test_full_size_summary():
    about = golden.load_json("cases.json")["full"]["full_mae_base_128"]
    hyper = golden.load_json("official_keys.json")["models"]["pretrain/mae_vit_base_patch8_128"]
    state = {k: torch.from_numpy(golden.rule_weight(k, tuple(s))) for k, s in hyper["keys"].items()}
    released = describe_released(state, "base")
    model = MaskedAutoencoder(released.config)
    model.load_state_dict(from_released(state, released, "base"))
    model.double()
    image = torch.from_numpy(golden.rule(about["image_key"], (1, 12, 128, 128)).astype("f4")).double()
    noise = torch.from_numpy(golden.rule(about["noise_key"], (1, 1024)))
    seen = run(model, image, noise, about["mask_ratio"], False)
    assert seen["mask"].index[0].tolist() == about["ids_keep"]
    for name in ("loss", "loss_token", "loss_spectral"):
        assert seen[name].item() == pytest.approx(about[name], abs=1e-9)
    for name, wanted in about["tensors"].items():
        golden.assert_as_summarized(seen[name], wanted, name, 1e-9)
    seen["loss"].backward()
    gradients = official_gradients(model)
    assert gradients.keys() == about["grad_summary"].keys()
    for name, (norm, dot) in about["grad_summary"].items():
        golden.assert_gradient_as_summarized(gradients[name], norm, dot, name)


def test_training_trace():
    trace = golden.load_json("cases.json")["traces"]["pretrain"]
    stored, about, model = small("mae_main", torch.float64)
    image = torch.from_numpy(stored["image"]).double()
    optimizer = make_optimizer(model, lr=1e-3)
    for step, wanted in enumerate(trace["losses_before_step"]):
        noise = torch.from_numpy(golden.rule(f"noise:mae_main:step{step}", stored["noise"].shape))
        seen = run(model, image, noise, about["mask_ratio"], False)
        found = [seen[name].item() for name in ("loss", "loss_token", "loss_spectral")]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
        optimizer.zero_grad()
        seen["loss"].backward()
        optimizer.step()
    after = to_released(_without_own_tables(model), Released(tasks.find("pretraining"), model.config))
    for name, (total, norm) in trace["after"].items():
        assert float(after[name].sum()) == pytest.approx(total, abs=1e-8), name
        assert float(after[name].norm()) == pytest.approx(norm, abs=1e-8), name


def _without_own_tables(model: MaskedAutoencoder) -> dict[str, Tensor]:
    state = dict(model.state_dict())
    for name in state:
        if name.endswith(("season", "elapsed", "scale")):
            state[name] = torch.zeros_like(state[name])
    return state


def test_kept_tokens():
    table = golden.load_json("cases.json")["misc"]["kept_tokens"]
    assert [kept_count(tokens, ratio) for tokens, ratio, _ in table] == [kept for *_, kept in table]


def test_table_interpolation():
    misc = golden.load_tensors("misc.safetensors")
    for dtype, name, tolerance in ((torch.float64, "_f64", 1e-12), (torch.float32, "", 1e-6)):
        table = torch.from_numpy(misc["interp_in_4x4"]).to(dtype).reshape(4, 4, 6)
        assert golden.largest(resize_table(table, 6, 6).reshape(1, 36, 6), misc[f"interp_out_6x6{name}"]) < tolerance
    down = torch.from_numpy(misc["interp_in_1+4x4"]).double()[:, 1:].reshape(4, 4, 6)
    assert golden.largest(resize_table(down, 3, 3).reshape(1, 9, 6), misc["interp_out_1+3x3_f64"][:, 1:]) < 1e-12


def test_patch_order():
    misc = golden.load_tensors("misc.safetensors")
    image = torch.arange(9 * 24 * 24).reshape(1, 1, 3, 3, 24, 24)
    np.testing.assert_array_equal(to_tokens(image, 8)[0], misc["patchify_order"])


def test_schedule():
    for name, run_of in golden.load_json("cases.json")["misc"]["lr_schedule"].items():
        if name != "fields":
            for epoch, rate, _ in run_of["rows"]:
                found = cosine(
                    float(epoch),
                    steps=float(run_of["epochs"]),
                    warmup=float(run_of["warmup_epochs"]),
                    peak=run_of["lr"],
                    floor=run_of["min_lr"],
                )
                assert found == pytest.approx(rate, rel=1e-12, abs=1e-18)


@pytest.mark.parametrize("variant", ["base_patch8_96", "base_patch8_128"])
def test_initialization(variant):
    """Standard deviations and bounds of a new model are those that section 4 of docs/mathematics.md states."""
    keys = golden.load_json("official_keys.json")["models"][f"pretrain/mae_vit_{variant}"]["keys"]
    shapes = {name: torch.empty(shape, device="meta") for name, shape in keys.items()}
    torch.manual_seed(0)
    model = MaskedAutoencoder(describe_released(shapes, variant).config)
    state = to_released(model.state_dict(), Released(tasks.find("pretraining"), model.config))
    assert {name: list(tensor.shape) for name, tensor in state.items()} == keys
    for name, values in state.items():
        if "pos_embed" in name or name == "mask_token":
            assert values.std() == pytest.approx(0.02, rel=0.1), name
        elif "norm" in name:
            assert (values == (1.0 if name.endswith("weight") else 0.0)).all(), name
        elif name == "patch_embed.proj.bias":
            assert values.abs().max() <= 192**-0.5
            assert values.std() == pytest.approx((192 * 3) ** -0.5, rel=0.1)
        elif name.endswith(".bias"):
            assert not values.any(), name
        else:
            rows, columns = values.flatten(1).shape
            bound = (6 / (rows + columns)) ** 0.5
            assert values.abs().max() <= bound, name
            assert values.abs().max() > 0.97 * bound, name
            assert values.std() == pytest.approx(bound / 3**0.5, rel=0.02), name
    assert [each.name for each in Released(tasks.find("pretraining"), model.config).layout] == list(keys)


def test_decayed_parameters_are_the_released_ones():
    """Biases and norms have no weight decay, tables and the mask token have."""
    groups = golden.load_json("cases.json")["misc"]["pretrain_groups"]
    decay = {name: group["weight_decay"] for group in groups for name in group["params"]}
    _, _, model = small("mae_main", torch.float32)
    rates = {
        id(p): group["weight_decay"] for group in make_optimizer(model, lr=1e-3).param_groups for p in group["params"]
    }
    found = {name: torch.full_like(p, rates[id(p)]) for name, p in model.named_parameters()}
    found |= {name: torch.zeros_like(p) for name, p in found.items() if name.endswith(("season", "elapsed", "scale"))}
    released = to_released(found, Released(tasks.find("pretraining"), model.config))
    compared = released.keys() & decay.keys()
    assert len(compared) == 47
    assert {name: float(released[name].max()) for name in compared} == pytest.approx({n: decay[n] for n in compared})


def test_statistics_of_the_released_weights():
    statistics = golden.load_json("cases.json")["misc"]["band_statistics"]["bigearthnet"]
    assert list(STATISTICS.values()) == list(zip(statistics["mean"], statistics["std"], strict=True))

"""A step never waits for the device: nothing on it is read, and nothing is copied to it so that the host must wait."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from made_training import ALONE, CONFIG, cube_of
from spectralgpt.nn import Cube, MaskedAutoencoder, MaskKind
from spectralgpt.tasks import Batch, Pretraining
from spectralgpt.training import make_optimizer
from spectralgpt.training.ema import Average
from spectralgpt.training.loop import Done, Work, train_steps
from spectralgpt.training.meter import Meter
from spectralgpt.training.optimizer import parameter_groups

READS = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim", "bincount")
"""Operators whose result, or its size, the host must read back."""


class Waits(TorchDispatchMode):
    """Counts the operators for which a GPU's host would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        waits = name in READS
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            waits = any(each is not None and each.dtype == torch.bool for each in args[1])
        if name == "repeat_interleave" and func._overloadname == "Tensor":
            waits = kwargs.get("output_size") is None
        result = func(*args, **kwargs)
        if name in ("_to_copy", "copy_"):
            source, flag = (
                (args[0], kwargs.get("non_blocking")) if name == "_to_copy" else (args[1], args[2:] == (True,))
            )
            waits = source.device != result.device and not flag
        self.seen[name] += waits
        return result

    @property
    def found(self) -> dict[str, int]:
        return dict(+self.seen)


def on(device: str, cube: Cube, bands: int, holes: bool) -> Cube:
    """The cube with its first bands only, with two dates, and with a hole, on a device."""
    values = cube.values.expand(-1, 2, -1, -1, -1)[:, :, :bands].clone()
    valid = torch.ones_like(values, dtype=torch.bool)
    valid[0, 0, :2, :20, :20] = False
    centre, scale = (each.expand(-1, 2, -1)[..., :bands] for each in (cube.scaling.centre, cube.scaling.scale))
    return replace(
        cube,
        values=values,
        valid=valid if holes else None,
        bands=CONFIG.bands.subset(tuple(range(bands))),
        days=torch.tensor([[18000, 18100]], dtype=torch.int32).expand(len(values), -1),
        scaling=replace(cube.scaling, centre=centre, scale=scale),
    ).to(device)


def made_steps(
    device: str, cubes: Sequence[Cube], objective: Pretraining, *, steps: int = 2, clip: float | None = 1.0
) -> tuple[list[Done], dict[str, int]]:
    """Steps with the cubes as micro-batches, and what waited."""
    model = MaskedAutoencoder(CONFIG).to(device)
    # there is no fused step on meta
    optimizer = make_optimizer(model, lr=1e-3) if device == "cpu" else torch.optim.SGD(parameter_groups(model, 0.05))
    batches = [Batch(cube, torch.arange(cube.shape[0], device=device), draw) for draw, cube in enumerate(cubes)]
    work = [Work(step, batches) for step in range(1, steps + 1)]
    average = Average(model, 0.9)
    with Waits() as waits:
        made = train_steps(model, optimizer, objective, work, lambda _: 1e-3, ALONE, clip=clip, average=average)
        return list(made), waits.found


@pytest.mark.parametrize("decode_fraction", [1.0, 0.5])
@pytest.mark.parametrize("kind", get_args(MaskKind))
@pytest.mark.parametrize("holes", [False, True])
def test_a_step_reads_nothing(kind, decode_fraction, holes):
    cubes = [on("cpu", cube_of(2, seed), bands, holes) for seed, bands in enumerate((12, 10))]
    done, waited = made_steps("cpu", cubes, Pretraining(0.75, kind, decode_fraction=decode_fraction))
    assert not waited
    assert [each.step for each in done] == [1, 2]


@pytest.mark.parametrize(
    ("objective", "clip"), [(Pretraining(decode_fraction=0.5), 1.0), (Pretraining(normalized_target=True), None)]
)
def test_nothing_is_copied_to_the_device_so_that_the_host_waits(objective, clip):
    """On `meta`, where tensors have shapes and no values: without a GPU, no other device is apart from the host."""
    cubes = [on("meta", cube_of(2), 10, True)]
    done, waited = made_steps("meta", cubes, objective, steps=1, clip=clip)
    assert {each.device.type for each in (*done[0].losses.values(), done[0].gradient)} == {"meta"}
    assert not waited


def test_a_gradient_that_is_not_clipped_is_measured_all_the_same():
    """The norm is that of clipping at infinity, and the weights are."""
    found = []
    for clip in (None, torch.inf):
        torch.manual_seed(0)
        done, _ = made_steps("cpu", [on("cpu", cube_of(2), 12, False)], Pretraining(), clip=clip)
        found.append(done[-1])
    assert torch.equal(found[0].gradient, found[1].gradient)
    assert torch.equal(found[0].losses["loss"], found[1].losses["loss"])
    assert found[0].gradient > 0


def test_what_is_watched_for_is_seen():
    flag, values = torch.tensor([True, False]), torch.zeros(2)
    with Waits() as waits:
        bool(flag.any()), float(values.sum()), values[flag], values.to("meta"), flag.nonzero()
    assert waits.found == {"_local_scalar_dense": 2, "index": 1, "_to_copy": 1, "nonzero": 1}
    with Waits() as waits:
        values.to("meta", non_blocking=True), values[torch.tensor([1, 0])], values.double()
    assert not waits.found


def test_only_the_log_line_reads():
    meter = Meter(ALONE)
    with Waits() as waits:
        for done in made_steps("cpu", [on("cpu", cube_of(2), 12, False)], Pretraining())[0]:
            meter.add(done)
    assert not waits.found
    with Waits() as waits:
        record = meter.record()
    assert record["step"] == 2
    assert waits.found

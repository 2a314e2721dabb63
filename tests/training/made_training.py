"""A model of seconds, its optimizer, steps that need no data, and processes that act as under torchrun."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import torch

from made_ranks import made_store, rank_variables
from spectralgpt.bands import BandSet, sensor
from spectralgpt.nn import Cube, MaskedAutoencoder, ModelConfig, Scaling, Size
from spectralgpt.training import make_optimizer
from spectralgpt.training.distribution import Distribution
from spectralgpt.weights import SpectralGPT

CONFIG = ModelConfig(Size(16, 1, 2, 16, 1, 2), BandSet.native(sensor("spectralgpt-12").bands), image=32)
ALONE = Distribution(0, 1, torch.device("cpu"))


def made(seed: int) -> tuple[MaskedAutoencoder, torch.optim.AdamW]:
    torch.manual_seed(seed)
    model = MaskedAutoencoder(CONFIG)
    return model, make_optimizer(model, lr=1e-2)


def cube_of(batch: int, seed: int = 0) -> Cube:
    values = torch.randn(batch, 1, 12, 32, 32, generator=torch.Generator().manual_seed(seed))
    flat = torch.zeros(batch, 1, 12)
    days, gsd = torch.full((batch, 1), 18000, dtype=torch.int32), torch.full((batch,), 10.0)
    return Cube(values, None, CONFIG.bands, days, gsd, Scaling("standard", flat, flat + 1))


def make_step(model: MaskedAutoencoder, optimizer: torch.optim.Optimizer, number: int = 0) -> None:
    generator = torch.Generator().manual_seed(number)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def differences(one: object, other: object, where: str = "") -> list[str]:
    """Where two states are not the same to the last bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [where]
    if isinstance(one, dict) and isinstance(other, dict):
        if set(one) != set(other):
            return [f"{where}: {set(one) ^ set(other)}"]
        return [each for key in one for each in differences(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [each for i in range(len(one)) for each in differences(one[i], other[i], f"{where}.{i}")]
    return [] if one == other and type(one) is type(other) else [where]


def run_ranks(code: str, arguments: Sequence[object] = (), ranks: int = 2) -> list[str]:
    """What each process prints that runs the code, as torchrun would start them; shapes are checked there too."""
    # only where DDP hands arguments on: to check all of the package takes seconds to import
    start = """
        import sys, warnings
        import jaxtyping
        warnings.simplefilter("error")
        checked = ["nn.autoencoder", "nn.encoder", "nn.decoder", "training.distribution", "training.checkpoints"]
        jaxtyping.install_import_hook([f"spectralgpt.{each}" for each in checked], "beartype.beartype")
        from made_training import *
    """
    text = textwrap.dedent(start) + textwrap.dedent(code)
    store, running = made_store(), []
    for rank in range(ranks):
        paths = os.pathsep.join([str(Path(__file__).parent), *(each for each in sys.path if each)])
        environment = os.environ | rank_variables(store, rank, ranks)
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", text, *map(str, arguments)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        # long: other tests may have the machine
        said = [each.communicate(timeout=600) for each in running]
    finally:
        for each in running:
            each.kill()
            each.wait()
    for each, (_, errors) in zip(running, said, strict=True):
        assert each.returncode == 0, "\n\n".join(errors for _, errors in said)
    return [out for out, _ in said]


def assert_optional_part(
    plain: SpectralGPT, more: SpectralGPT, setting: str, tensors: str, folder: Path
) -> SpectralGPT:
    """A part that few models have: without it there is no tensor of it, nor a word in config.json; with it, weights
    come back as they were. Returns those. tensors: how the names of its tensors begin."""
    assert not [name for name in plain.state_dict() if name.startswith(tensors)]
    more.save_pretrained(folder / "more")
    plain.save_pretrained(folder / "plain")
    assert setting not in (folder / "plain" / "config.json").read_text()
    back = SpectralGPT.from_pretrained(folder / "more")
    assert getattr(back.config, setting)
    assert back.fingerprint() == more.fingerprint() != plain.fingerprint()
    for name, tensor in more.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)
    return back

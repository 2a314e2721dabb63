"""How fast a whole pretraining step is (masking, forward, losses, backward, AdamW), against the textbook's.

Both have the same weights, images and masks; losses and gradients are compared first. Variants run interleaved in one
process.

    python benchmarks/pretrain_step.py --size base --repeats 5 --threads 2
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from measuring import (
    RATIO,
    Problem,
    about,
    equal,
    given,
    has_bf16,
    interleaved,
    options,
    peak_runs,
    problem,
    step_operations,
    summarized,
    with_compiled_blocks,
    write,
)
from textbook import make_optimizer as textbook_optimizer
from textbook import translated
from torch import Tensor

from spectralgpt.nn import Precision, computing_in, kept_count, random_mask
from spectralgpt.training import make_optimizer

LR = 1e-5


def our_loss(case: Problem, precision: Precision) -> Tensor:
    """Forward pass and losses."""
    with computing_in(precision, case.image.device):
        mask = random_mask(case.noise, RATIO)
        losses = case.ours.losses(case.cube, mask, case.ours(case.cube, mask))
    return losses["token"].mean + losses["spectral"].mean


def textbook_loss(case: Problem) -> Tensor:
    predicted, hidden = case.textbook(case.image, case.noise, RATIO)
    token, spectral = case.textbook.losses(case.image, predicted, hidden)
    return token + spectral


def differences(case: Problem) -> dict[str, float]:
    """Differences of the loss and of the gradients, relative to the largest gradient; exits if they are too large."""
    ours, wanted = our_loss(case, "fp32"), textbook_loss(case)
    ours.backward()
    wanted.backward()
    ours_of = translated({n: p.grad for n, p in case.ours.named_parameters() if p.grad is not None}, case.config)
    theirs = {name: each.grad for name, each in case.textbook.named_parameters()}
    assert ours_of.keys() == theirs.keys(), "gradients of other parameters"
    top = max(each.abs().max() for each in theirs.values())
    found = {"loss": equal("loss", ours.detach(), wanted.detach())}
    found["gradients"] = max(equal(f"gradient of {n}", ours_of[n] / top, theirs[n] / top) for n in theirs)
    return found


def steps(case: Problem, device: str, compiled: bool) -> dict[str, Callable[..., object]]:
    """A step of each variant, on the case's batch or on one given."""
    optimizers = {"textbook": textbook_optimizer(case.textbook, LR), "ours": make_optimizer(case.ours, lr=LR)}
    losses: dict[str, Callable[[Problem], Tensor]] = {"textbook": textbook_loss}
    for precision in ("fp32", "bf16") if has_bf16(device) else ("fp32",):
        losses[f"ours {precision}"] = partial(our_loss, precision=precision)

    def step(name: str, batch: Problem = case) -> None:
        optimizer = optimizers[name.split()[0]]
        optimizer.zero_grad(set_to_none=True)
        losses[name](batch).backward()
        optimizer.step()

    found: dict[str, Callable[..., object]] = {name: partial(step, name) for name in losses}
    if compiled:
        again = steps(replace(case, ours=with_compiled_blocks(case.ours)), device, False)
        found |= {f"{name} compiled": run for name, run in again.items() if name != "textbook"}
    return found


def main() -> None:
    parser = options(__doc__, repeats=5)
    parser.add_argument("--compile", action="store_true", help="also by torch.compile (minutes, needs a C++ compiler)")
    found = given(parser)
    cases = [(32, 2)] if found.quick else [(96, 8), (128, 4)]
    results: dict[str, Any] = {}
    for side, batch in cases:
        case = problem(found.size, side, batch, found.device)
        different = differences(case)
        runs = peak_runs(found.device) | steps(case, found.device, found.compile)
        tokens = case.noise.shape[1]
        operations = batch * step_operations(case.config, tokens, kept_count(tokens, RATIO))
        measured = summarized(interleaved(runs, found.repeats, found.device), operations)
        results[f"{side} px, batch {batch}"] = {"largest_differences": different, **measured}
    result = {"what": f"pretraining step, {found.size}, {RATIO} hidden", **about(found), "cases": results}
    bars = {
        f"pretraining step, {found.size}, {name}": {n: row["speedup"] for n, row in each["rows"].items()}
        for name, each in results.items()
    }
    write("pretrain_step", result, bars, "speed of a step, textbook = 1", found.out)


if __name__ == "__main__":
    main()

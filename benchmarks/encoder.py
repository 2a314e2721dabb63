"""How fast the encoder is over all tokens, against the textbook's, and what share of the machine's peak it reaches.

Both have the same weights and images; outputs are compared first. Variants run interleaved in one process.

    python benchmarks/encoder.py --size base --repeats 7 --threads 2
"""

from collections.abc import Callable

import torch
from measuring import (
    about,
    encoder_operations,
    equal,
    given,
    has_bf16,
    interleaved,
    options,
    peak_runs,
    problem,
    summarized,
    with_compiled_blocks,
    write,
)
from torch import Tensor

from spectralgpt.nn import MaskedAutoencoder, Precision, computing_in


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--compile", action="store_true", help="also by torch.compile (minutes, needs a C++ compiler)")
    found = given(parser)
    if found.quick:
        found.side, found.batch = 32, 2
    case = problem(found.size, found.side, found.batch, found.device)
    ours, textbook, depth = case.ours.eval(), case.textbook.eval(), case.config.size.depth

    def of_textbook() -> Tensor:
        with torch.inference_mode():
            return textbook.features(case.image)

    def ours_in(precision: Precision, model: MaskedAutoencoder = ours) -> Callable[[], Tensor]:
        def measured() -> Tensor:
            with torch.inference_mode(), computing_in(precision, case.image.device):
                return model.features(case.cube, at=(depth,))[0].flatten(1, 4)

        return measured

    runs: dict[str, Callable[[], Tensor]] = {"textbook": of_textbook, "ours fp32": ours_in("fp32")}
    wanted = of_textbook()
    difference = equal("features", runs["ours fp32"](), wanted)
    if has_bf16(found.device):
        runs["ours bf16"] = ours_in("bf16")
    if found.compile:
        compiled = with_compiled_blocks(ours)
        runs |= {f"{name} compiled": ours_in(name.split()[-1], compiled) for name in list(runs)[1:]}
    cosines = {
        name: float(torch.cosine_similarity(run(), wanted, dim=-1).min())
        for name, run in runs.items()
        if name != "textbook"
    }
    seconds = interleaved(peak_runs(found.device) | runs, found.repeats, found.device)
    tokens = wanted.shape[1]
    result = summarized(seconds, found.batch * encoder_operations(case.config, tokens))
    result = {
        "what": f"encoder, {found.size}, {found.side} px, batch {found.batch}, {tokens} tokens an image",
        **about(found),
        "largest_difference": difference,
        "lowest_cosine_of_a_token": cosines,
        **result,
    }
    title = f"encoder, {found.size}, {found.side} px, batch {found.batch}"
    bars = {title: {name: row["speedup"] for name, row in result["rows"].items()}}
    write("encoder", result, bars, "speed, textbook = 1", found.out)


if __name__ == "__main__":
    main()

"""The weights in the package from a folder of real images, in one command.

python benchmarks/packaged_weights.py DATA WORK [--version 1]
    DATA: a folder of real images, as for real_pretraining.py. Draws the parts (parts.py), makes shards, trains recipe
    `packaged` and then the decoder alone (recipe `decoder`), measures the read-out (read_out.py), and writes
    WORK/tiny-VERSION with its card (model_card.py). Run it again after an interruption: every step goes on where it
    stopped.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from model_card import RUNS

HERE = Path(__file__).parent


def run(*command: object) -> None:
    words = list(map(str, command))
    print(" ".join(words), flush=True)
    subprocess.run([sys.executable, *words], check=True)


def trained(recipe: str, shards: Path, out: Path, *changes: str) -> None:
    """Train, or go on with it. SystemExit after an interruption."""
    run("-m", "spectralgpt", "pretrain", recipe, "--data", shards, "--out", out, *changes)
    if not (out / "weights").exists():
        sys.exit("the training was interrupted; the same command continues it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--version", type=int, default=2)
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="changes of the first recipe, to try it"
    )
    given = parser.parse_args()
    work = given.work
    if not (work / "parts.csv").exists():
        run(HERE / "parts.py", given.data, work)
    for part in ("train", "choose"):
        tables = sorted((work / part).glob("*.csv"))
        run("-m", "spectralgpt", "shard", *tables, "--out", work / f"{part}_shards")
    changes = [word for each in given.set for word in ("--set", each)]
    shards, features, weights = work / "train_shards", work / RUNS[0], work / f"tiny-{given.version}"
    trained("packaged", shards, features, *changes)
    trained("decoder", shards, work / RUNS[1], "--set", f"model.weights={features / 'weights'}")
    run(HERE / "read_out.py", work / RUNS[1] / "weights", shards, weights, "--held", work / "choose_shards")
    run(HERE / "model_card.py", weights, weights / "README.md", "--data", given.data, "--work", work)


if __name__ == "__main__":
    main()

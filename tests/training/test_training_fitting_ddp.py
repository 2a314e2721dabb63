"""Two processes fit a head as one does, also where they have unequal numbers of labelled pixels, and where parameters
have no gradient."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from made_fits import labelled_shards
from made_kills import environment
from made_runs import furthest, records_of, state_of, without_key_biases

STEPS = 20
SETTINGS = {
    "class": {"task__mixup": 0.8, "task__cutmix": 1.0, "task__balance": 0.5},
    "mask": {"task__dice_weight": 0.5, "task__balance": 0.5, "task__cutmix": 1.0},
    "change": {"task__dice_weight": 0.5, "task__freeze": True},
}

# One process imports everything and forks those of each run, with what torchrun would put into the environment.
RUNS = """
    import json, os, sys, traceback, warnings
    warnings.simplefilter("error")
    from pathlib import Path
    from made_ranks import begin_rank, made_store
    from made_fits import fit_recipe
    from spectralgpt.training import Distribution, run_training

    folder = Path(sys.argv[1])
    counts, sums = [], Distribution.sum_

    def summed(self, tensor):
        counts.append(tensor.tolist())
        return sums(self, tensor)

    Distribution.sum_ = summed

    def train(kind, settings, out, rank, ranks):
        result = run_training(fit_recipe(kind, **settings), folder / kind, folder / out, device="cpu")
        assert result.finished
        (folder / f"{out}-{ranks}-{rank}.json").write_text(json.dumps(counts))

    def processes(ranks, *arguments):
        store, children = made_store(), []
        for rank in range(ranks):
            if child := os.fork():
                children.append(child)
                continue
            try:
                if ranks > 1:
                    begin_rank(store, rank, ranks)
                train(*arguments, rank, ranks)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        status = [os.waitpid(child, 0)[1] for child in children]
        assert status == [0] * ranks, (ranks, arguments)

    for kind, settings in json.loads(sys.argv[2]).items():
        processes(1, kind, settings, f"{kind}-one")
        processes(2, kind, settings, f"{kind}-two")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The folder of the runs: of each kind of labels one by one process, and one by two."""
    folder = tmp_path_factory.mktemp("ranks")
    common = {"steps": STEPS, "batch": 8, "machine__micro": 2, "machine__log_every": 1, "machine__save_every": 1000}
    common |= {"task__judge_every": 5.0, "task__erasing": 0.3, "task__drop_path": 0.2, "recipe__ema": 0.9}
    common |= {"schedule__layer_decay": 0.75, "schedule__lr": 1e-3}
    for kind in SETTINGS:
        # 19 samples: the last batch of an epoch has three, and the processes one and two of them
        labelled_shards(folder / kind, kind, counts={"train": 19, "val": 5}, ignored=5)
    every = {kind: common | settings for kind, settings in SETTINGS.items()}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RUNS), folder, json.dumps(every)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("kind", SETTINGS)
def test_two_processes_fit_as_one(kind, runs):
    one, two = (records_of(runs / f"{kind}-{name}") for name in ("one", "two"))
    assert [record["step"] for record in two if "loss" in record] == list(range(1, STEPS + 1))
    assert [record["val_score"] for record in two if "val_score" in record]
    assert furthest(two, one) < 1e-4
    states = [without_key_biases(state_of(runs / f"{kind}-{name}")) for name in ("two", "one")]
    assert furthest(*states) < 1e-3


@pytest.mark.parametrize("kind", SETTINGS)
def test_what_counts_is_not_alike_on_the_processes(kind, runs):
    """Or the test above would not see losses that divide by a process's own count."""

    def counts(name: str, ranks: int, rank: int) -> list[list[float]]:
        return json.loads((runs / f"{kind}-{name}-{ranks}-{rank}.json").read_text())

    one, first, second = counts("one", 1, 0), counts("two", 2, 0), counts("two", 2, 1)
    assert len(one) == len(first) == len(second) == STEPS
    for whole, *parts in zip(one, first, second, strict=True):
        assert [sum(each) for each in zip(*parts, strict=True)] == pytest.approx(whole, rel=1e-5)
    assert sum(max(a[0], b[0]) > 1.1 * min(a[0], b[0]) for a, b in zip(first, second, strict=True)) >= 5


def test_the_best_weights_are_written_once(runs):
    for kind in SETTINGS:
        assert sorted(os.listdir(runs / f"{kind}-two/weights")) == sorted(os.listdir(runs / f"{kind}-one/weights"))

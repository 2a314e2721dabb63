"""Two processes train as one does with the same global batches, and either goes on with what the other saved."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from made_runs import furthest, made_shards, records_of, state_of, without_key_biases
from made_training import ALONE
from spectralgpt.data.loader import parts
from spectralgpt.training import checkpoints
from spectralgpt.training.checkpoints import read_extra

STEPS = (12, 8)

# One process imports everything and forks those of each run, with what torchrun would put into the environment.
RUNS = """
    import gc, json, os, signal, sys, traceback, warnings
    warnings.simplefilter("error")
    from dataclasses import replace
    from pathlib import Path
    from made_ranks import begin_rank, made_store
    import torch
    import torch.distributed as dist
    from made_runs import made_recipe
    from spectralgpt.training import Distribution, DivergedError, run_training

    shards, broken, folder = map(Path, sys.argv[1:4])
    steps = json.loads(sys.argv[4])
    counts, rounds, asked = [], [], []
    sums, makes = Distribution.sum_, Distribution.made

    def summed(self, tensor):
        counts.append(tensor.tolist())
        if len(counts) in asked:
            os.kill(os.getpid(), signal.SIGTERM)
        return sums(self, tensor)

    def wrapped(self, model, optimizer, **options):
        ddp, made = makes(self, model, optimizer, **options)
        if ddp is not model:
            def around(_, bucket):
                rounds.append(len(counts))
                parts = dist.all_reduce(bucket.buffer().div_(self.ranks), async_op=True).get_future()
                return parts.then(lambda done: done.value()[0])
            ddp.register_comm_hook(None, around)
        return ddp, made

    Distribution.sum_, Distribution.made = summed, wrapped

    def train(data, out, rank, ranks, stop=None):
        # one of them is asked while it computes the step, and both stop after it
        asked[:] = [stop] * (rank == ranks - 1)
        recipe = made_recipe(steps=steps, batch=6, log_every=1, save_every=5, micro=2)
        # nodes of a fixed number: then both stages train, and wrap, the same model
        recipe = replace(recipe, model=replace(recipe.model, place_nodes=4))
        try:
            result = run_training(recipe, data, out, device="cpu")
            said = {"step": result.step, "notes": result.notes}
        except DivergedError as error:
            every = torch.nn.parallel.DistributedDataParallel
            left = [type(each).__name__ for each in gc.get_objects() if type(each) is every]
            said = {"diverged": error.step, "distributed": left}
        reported = folder / f"{out.name}-{ranks}-{rank}.json"
        reported.write_text(json.dumps(said | {"counts": counts, "rounds": rounds}))

    def processes(ranks, *arguments):
        store, children = made_store(), []
        for rank in range(ranks):
            if child := os.fork():
                children.append(child)
                continue
            try:
                if ranks > 1:
                    begin_rank(store, rank, ranks)
                train(*arguments[:2], rank, ranks, *arguments[2:])
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        status = [os.waitpid(child, 0)[1] for child in children]
        assert status == [0] * ranks, (ranks, arguments)

    processes(1, shards, folder / "one")
    processes(2, shards, folder / "two")
    processes(2, shards, folder / "two-one", 9)
    processes(1, shards, folder / "two-one")
    processes(1, shards, folder / "one-two", 14)
    processes(2, shards, folder / "one-two")
    processes(2, broken, folder / "broken")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The folder of the runs."""
    folder = tmp_path_factory.mktemp("ranks")
    shards, broken = made_shards(folder / "shards"), made_shards(folder / "broken-shards", broken=0)
    paths = os.pathsep.join([str(Path(__file__).parent), *(each for each in sys.path if each)])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RUNS), shards, broken, folder, json.dumps(STEPS)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return folder


def said(runs: Path, name: str, ranks: int) -> list[dict]:
    return [json.loads((runs / f"{name}-{ranks}-{rank}.json").read_text()) for rank in range(ranks)]


@pytest.mark.parametrize("name", ["two", "two-one", "one-two"])
def test_two_processes_train_as_one(runs, name):
    records = records_of(runs / name)
    assert [record["step"] for record in records if "loss" in record] == list(range(1, 21))
    assert sum("val_loss" in record for record in records) == 2
    assert furthest(records, records_of(runs / "one")) < 1e-4
    assert furthest(*(without_key_biases(state_of(runs / each)) for each in (name, "one"))) < 1e-3


def test_they_went_on_where_they_were_stopped(runs):
    for name, ranks, step in (("two-one", 1, 9), ("one-two", 2, 14)):
        for each in said(runs, name, ranks):
            assert each["step"] == 20
            assert f"resumed from step-{step:08d}" in each["notes"]
            assert len(each["counts"]) == 20 - step


def test_what_counts_is_not_alike_on_the_ranks(runs):
    """Or the test above would not see losses that divide by a rank's own count."""
    one, (first, second) = said(runs, "one", 1)[0]["counts"], (each["counts"] for each in said(runs, "two", 2))
    assert [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(first, second, strict=True)] == one
    unequal = [a for a, b in zip(first, second, strict=True) if max(a[0], b[0]) > 1.3 * min(a[0], b[0]) > 0]
    assert len(unequal) >= 5
    # the single sample of a layout is one process's, the other has nothing to do
    assert sum(a[0] == 0 < b[0] for a, b in zip(first, second, strict=True)) >= 2


def test_gradients_go_around_once_a_step(runs):
    assert len(parts(6, 0, 2, 2)) == len(parts(6, 1, 2, 2)) == 2, "there is something to accumulate"
    for each in said(runs, "two", 2):
        assert each["rounds"] == list(range(1, 21)), "the model fits into one bucket"


def test_all_of_them_end_when_a_loss_is_not_finite(runs):
    steps = {each["diverged"] for each in said(runs, "broken", 2)}
    report = json.loads((runs / "broken/diverged.json").read_text())
    assert steps == {report["step"]}
    assert any(name.startswith("images/0-0.tif") for name in report["samples"])
    for path in checkpoints(runs / "broken/checkpoints"):
        assert read_extra(path, ALONE)["step"] < report["step"]


def test_nothing_that_distributes_is_left_when_the_processes_part(runs):
    """Frames of the error keep the state of the run; what DDP holds would be destroyed after its processes' group."""
    assert all(each["distributed"] == [] for each in said(runs, "broken", 2))

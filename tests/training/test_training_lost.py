"""A run of several processes of which one is killed: the others say which, and the same command goes on."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from made_kills import environment
from made_runs import furthest, made_shards, records_of
from spectralgpt.errors import InputError
from spectralgpt.training.lost import LostProcessError, RunProcess, naming_lost

# One process imports everything and forks those of each run, with what torchrun would put into the environment.
LOST = """
    import json, os, signal, sys
    from pathlib import Path
    from made_ranks import begin_rank, made_store
    from made_runs import made_recipe
    from spectralgpt.training import Distribution, run_training

    shards, folder = map(Path, sys.argv[1:3])
    calls = []

    def killing(where, killed):
        plain = getattr(Distribution, where)

        def call(self, *arguments):
            calls.append(1)
            if self.rank == killed and len(calls) == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(self, *arguments)

        setattr(Distribution, where, call)

    def run(out, ranks, killed=None, where=None):
        store, children = made_store(), []
        for rank in range(ranks):
            if child := os.fork():
                children.append(child)
                continue
            begin_rank(store, rank, ranks)
            if where:
                killing(where, killed)
            try:
                words = run_training(made_recipe(save_every=2, log_every=1), shards, out, device="cpu").notes
            except BaseException as error:
                words = [type(error).__name__, str(error)]
            (folder / f"said-{os.getpid()}").write_text(json.dumps(words))
            os._exit(0)
        for child in children:
            os.waitpid(child, 0)
        paths = [folder / f"said-{child}" for child in children]
        return {"pids": children, "said": [json.loads(each.read_text()) if each.exists() else None for each in paths]}

    whole = run(folder / "whole", 2)
    # again and again, as what a kill leaves behind in the others is a race between their threads
    three = [run(folder / name, 3, 1, "sum_") for name in ("run", "second", "third", "fourth")]
    lost = [*three, run(folder / "run", 2, 0, "_reduced")]
    print(json.dumps([whole, lost, run(folder / "run", 2)]), flush=True)
"""


def test_the_lost_rank_is_named_and_the_same_command_goes_on(tmp_path):
    shards = made_shards(tmp_path / "shards")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOST), str(shards), str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    whole, lost, again = json.loads(done.stdout.splitlines()[-1])
    for killed, found in zip((1, 1, 1, 1, 0), lost, strict=True):
        assert found["said"].pop(killed) is None
        assert None not in found["said"], done.stderr
        for kind, words in found["said"]:
            assert kind == "LostProcessError"
            assert f"rank {killed} (process {found['pids'][killed]} on " in words
            assert "the same command continues from the last checkpoint" in words
    assert any("resumed from step-" in note for note in again["said"][0])
    assert not any("resumed" in note for note in whole["said"][0])
    assert furthest(records_of(tmp_path / "run"), records_of(tmp_path / "whole")) < 1e-4


def test_what_has_nothing_to_do_with_the_others_stays_as_it_is():
    own = RunProcess(0, "here", os.getpid())
    with pytest.raises(RuntimeError, match="out of memory"), naming_lost([own], 0):
        raise RuntimeError("out of memory")


def test_a_process_of_another_host_may_be_the_lost_one():
    there = [RunProcess(number, "there", 1) for number in (0, 1)]
    words = r"lost the connection to rank 1 \(process 1 on there\)"
    with pytest.raises(LostProcessError, match=words) as caught, naming_lost(there, 0):
        raise RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer")
    assert isinstance(caught.value, InputError)

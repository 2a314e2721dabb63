"""A run of two processes that a full disk refuses: the one that met it says so, once; both end with exit code 2, and
the same command goes on."""

import json
import re
import subprocess
import sys
import textwrap

import pytest

from made_kills import environment
from made_runs import furthest, made_recipe, made_shards, records_of, written_recipe
from made_training import ALONE
from spectralgpt.errors import OptionError, TargetError
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.ending import ended_together

# One process imports everything and forks those of each run, with what torchrun would put into the environment.
REFUSED = """
    import contextlib, io, json, os, sys
    from pathlib import Path
    import pytest
    from made_disks import refusing_writes
    from made_ranks import begin_rank, made_store
    from spectralgpt.cli import main
    import spectralgpt.training, spectralgpt.verbs.pretrain

    shards, recipe, folder = map(Path, sys.argv[1:4])

    def run(out, refused, below):
        store, children = made_store(), []
        for rank in range(2):
            if child := os.fork():
                children.append(child)
                continue
            begin_rank(store, rank, 2)
            sys.argv = ["spectralgpt", "pretrain", str(recipe), "--data", str(shards), "--out", str(out)]
            sys.argv += ["--device", "cpu"]
            said, code = io.StringIO(), None
            full = rank in refused
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                try:
                    with refusing_writes(pytest.MonkeyPatch(), out / below, 0) if full else contextlib.nullcontext():
                        main()
                except SystemExit as ended:
                    code = ended.code or 0
            (folder / f"said-{rank}").write_text(json.dumps([code, said.getvalue()]))
            os._exit(0)
        for child in children:
            os.waitpid(child, 0)
        return [json.loads((folder / f"said-{rank}").read_text()) for rank in range(2)]

    cases = json.loads(sys.argv[4])
    found = [run(folder / f"run-{number}", *case) for number, case in enumerate(cases)]
    again = [run(folder / f"run-{number}", [], ".")[0][0] for number in range(2)]
    print(json.dumps([found, again, run(folder / "whole", [], ".")]), flush=True)
"""

CASES = {
    "a checkpoint, both": ([0, 1], "checkpoints"),
    "a checkpoint, the second": ([1], "checkpoints"),
    "the state of a checkpoint": ([0], "checkpoints/step-00000003.partial/state.json.partial"),
    "the weights": ([0], ".weights.partial"),
    "the configuration": ([0], "config.json.partial"),
    "the list of images": ([0], "images.json.partial"),
}


def test_who_meets_a_full_disk_says_so_once(tmp_path):
    shards = made_shards(tmp_path / "shards")
    recipe = written_recipe(tmp_path / "recipe.json", made_recipe(steps=(4, 3)))
    command = [sys.executable, "-c", textwrap.dedent(REFUSED), shards, recipe, tmp_path, json.dumps([*CASES.values()])]
    done = subprocess.run(list(map(str, command)), env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found, again, whole = json.loads(done.stdout.splitlines()[-1])
    assert [code for code, _ in whole] == [0, 0], whole
    for (name, (refused, _)), ended in zip(CASES.items(), found, strict=True):
        assert [code for code, _ in ended] == [2, 2], (name, ended)
        speaker = min(refused)
        speech, other = ended[speaker][1], ended[1 - speaker][1]
        assert re.search(r"No space left on device\), found \S+ [kMGT]B free; expected about ", speech), (name, speech)
        # what was announced before is the main process's, in either case
        last = other.strip().splitlines()[-1]
        assert re.search(rf": ended with rank {speaker}, which says why\.$", last), (name, other)
        assert "No space left" not in other, (name, other)
        assert "Traceback" not in speech + other
    assert not list(tmp_path.rglob("*.partial"))
    assert again == [0, 0]
    for number in range(2):
        assert furthest(records_of(tmp_path / f"run-{number}"), records_of(tmp_path / "whole")) < 1e-4


def of_ranks(monkeypatch, rank, flags):
    """The process of a rank, where the others say what the flags say."""
    monkeypatch.setattr(Distribution, "gathered", lambda self, value: flags)
    return Distribution(rank, len(flags), ALONE.device)


def test_one_of_several_says_why(monkeypatch, tmp_path):
    def end(rank, flags):
        with ended_together(of_ranks(monkeypatch, rank, flags), tmp_path):
            if flags[rank]:
                raise OptionError("because of this")

    for rank, flags, kind, words in (
        (1, [False, True, True], OptionError, "because of this"),
        (0, [False, True, True], TargetError, "ended with rank 1"),
        (2, [False, True, True], TargetError, "ended with rank 1"),
    ):
        with pytest.raises(kind, match=words):
            end(rank, flags)
    end(0, [False, False])

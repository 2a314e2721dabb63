"""Weights whose writer is killed, or finds the disk full: at every moment the old ones or the new ones can be had."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from made_disks import fill_disk, refusing_writes, small_disk

from spectralgpt.disk import atomic_folder, is_unsettled
from spectralgpt.errors import TargetError, WeightsError
from spectralgpt.weights import SpectralGPT
from spectralgpt.weights.checkpoint_file import write_released
from spectralgpt.weights.store import MARK, PARTS, WEIGHTS_FILES, settle_weights, write_weights

# Each moment in a process forked from one that has imported everything, and killed there by SIGKILL. A change is
# something that the disk sees: a folder, a file's content, a name, what is removed.
KILLED_AT = """
    import os, shutil, signal, sys
    from pathlib import Path
    import spectralgpt.weights.store as store
    from test_weights_kills import write

    before, out = Path(sys.argv[1]), Path(sys.argv[2])
    CHANGES = [(os, "mkdir"), (os, "fsync"), (os, "rename"), (os, "rmdir"), (os, "unlink"), (store, "save_file")]

    def saved(folder, moment):
        count = 0
        def counted(plain):
            def change(*arguments, **options):
                nonlocal count
                count += 1
                if count == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return plain(*arguments, **options)
            return change
        for owner, name in CHANGES:
            setattr(owner, name, counted(getattr(owner, name)))
        write(5, folder / "weights")

    moment = 0
    while True:
        moment += 1
        folder = out / str(moment)
        folder.mkdir(parents=True)
        if before.is_dir():
            shutil.copytree(before, folder / "weights")
        child = os.fork()
        if not child:
            try:
                saved(folder, moment)
            except BaseException:
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), status
        if status == 0:
            break
    print(moment - 1)
"""


def killed(before: Path, out: Path) -> int:
    """Kills a writer of weights at each moment, in the folders out/1, out/2, ...; returns how many there are."""
    paths = os.pathsep.join([str(Path(__file__).parent), *(each for each in sys.path if each)])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED_AT), str(before), str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("replaced", [False, True])
def test_killed_at_each_step_the_next_writer_clears_or_completes(tmp_path, replaced):
    old, new, newer = (written(seed, tmp_path / f"seed-{seed}") for seed in (1, 5, 9))
    moments = killed(tmp_path / "seed-1" if replaced else tmp_path / "nothing", tmp_path / "kills")
    assert moments >= (13 if replaced else 8), "folder, three files, names, what is removed"
    between = 0
    for moment in range(1, moments + 1):
        folder = tmp_path / "kills" / str(moment)
        weights = folder / "weights"
        if is_unsettled(weights):
            between += 1
            with pytest.raises(WeightsError, match="Run the same command again, which completes them"):
                SpectralGPT.from_pretrained(weights)
        else:
            assert files_below(weights) in ((old, new) if replaced else ({}, new))
        # a start settles, and writes nothing
        shutil.copytree(folder, settled := tmp_path / "settled" / str(moment))
        settle_weights(settled / "weights")
        assert files_below(settled) in [
            {f"weights/{name}": each for name, each in files.items()}
            for files in ((old, new) if replaced else ({}, new))
        ]
        # a writer writes
        assert written(9, weights) == newer
        assert [each.name for each in folder.iterdir()] == ["weights"]
    assert between == (1 if replaced else 0), "one moment is between the two names"


def test_what_is_not_ours_beside_weights_stays(tmp_path):
    before = written(1, tmp_path / "weights")
    (tmp_path / ".weights.partial").mkdir()
    (tmp_path / ".weights.partial" / "thesis.txt").write_text("mine")
    with pytest.raises(TargetError, match=r"holds thesis\.txt"):
        write(5, tmp_path / "weights")
    assert (tmp_path / ".weights.partial" / "thesis.txt").read_text() == "mine"
    assert files_below(tmp_path / "weights") == before


def test_two_writers_do_not_mix(tmp_path):
    with atomic_folder(tmp_path / "weights", WEIGHTS_FILES) as partial:
        (partial / "README.md").write_text("the first one's")
        with pytest.raises(TargetError, match="another process is writing it"):
            write(5, tmp_path / "weights")
    assert [each.name for each in (tmp_path / "weights").iterdir()] == ["README.md"]


@pytest.mark.parametrize("released", [False, True])
def test_a_full_disk_keeps_the_old_ones_and_says_both_sizes(tmp_path, released):
    with small_disk(tmp_path / "disk", 2**21) as disk:
        target = disk / ("weights.pth" if released else "weights")
        write(1, target)
        before = files_below(disk)
        fill_disk(disk, left=50_000)
        with pytest.raises(
            TargetError, match=r"No space left on device\), found \d+ kB free; expected about \d+ kB\. "
        ):
            write(5, target)
        (disk / "filler").unlink()
        assert files_below(disk) == before
        write(5, target)


@pytest.mark.parametrize("released", [False, True])
def test_a_disk_that_is_full_after_any_byte_keeps_the_old_ones(tmp_path, monkeypatch, released):
    """As above, where no small disk can be mounted. Files that safetensors writes are Rust's own: only the rest."""
    target = tmp_path / ("weights.pth" if released else "weights")
    write(1, target)
    before = files_below(tmp_path)
    for most in (0, 1, 150, 20_000) if released else (0, 1, 150):
        with refusing_writes(monkeypatch, tmp_path, most), pytest.raises(TargetError, match="No space left on device"):
            write(5, target)
        assert files_below(tmp_path) == before


def write(seed: int, target: Path) -> None:
    """Tensors of 400 kB, as weights or in a released file; a configuration that nobody reads here."""
    tensors = {"tensor": torch.randn(100_000, generator=torch.Generator().manual_seed(seed))}
    if target.suffix:
        write_released(target, tensors)
    else:
        write_weights(target, dict.fromkeys((*PARTS, "provenance"), seed), tensors, f"{MARK} {seed}")


def written(seed: int, target: Path) -> dict[str, bytes]:
    write(seed, target)
    return files_below(target)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

"""Verbs on a scene that are killed at moments of a measured run, forked from a process that has imported everything."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# A fork takes milliseconds where a start takes seconds, so kills can be many. What the parent does before must need no
# thread, as those of GDAL and of torch do not survive a fork.
KILLED = """
    import json, os, random, signal, sys, time, traceback
    from pathlib import Path
    import sympy, matplotlib.pyplot  # imported late by torch and by pictures
    import spectralgpt.features, spectralgpt.products, spectralgpt.report, spectralgpt.scenes, spectralgpt.weights
    import spectralgpt.verbs._changing
    from spectralgpt.cli import main

    folder, verb, during, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    sources, options = map(json.loads, sys.argv[5:7])
    random.seed(0)

    def begin(name):
        child = os.fork()
        if child:
            return child
        try:
            (folder / name).mkdir(exist_ok=True)
            os.chdir(folder / name)  # so that a result says the same of its paths in all folders
            out = os.open(folder / f"{name}.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.argv[:] = ["spectralgpt", verb, *sources, "o.tif", *options, "--json", "--quiet"]
            main()
        except SystemExit as ended:
            sys.stdout.flush()
            os._exit(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    def waits_for(path, child):
        while not path.exists():
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
            time.sleep(0.0002)

    def ended(child, name):
        assert os.waitpid(child, 0)[1] == 0, (folder / f"{name}.out").read_text()

    def result(name):
        found = json.loads((folder / f"{name}.out").read_text().splitlines()[-1].replace(f"/{name}/", "/"))
        del found["seconds"]
        return found.pop("blocks_resumed"), found

    def files(name):
        return {path.name: path.read_bytes() for path in (folder / name).iterdir()}

    child = begin("straight")
    waits_for(folder / "straight/o.tif.partial/plan.json", child)
    begun = time.perf_counter()
    waits_for(folder / "straight/o.tif.partial/writing", child)
    windows = time.perf_counter() - begun
    total = len(list((folder / "straight/o.tif.partial").glob("rows-*.npy")))
    ended(child, "straight")
    whole = time.perf_counter() - begun
    resumed, told = result("straight")
    assert resumed == 0, resumed
    expected = files("straight")

    print(f"{total} block rows in {windows:.2f} s, last pass: {whole - windows:.2f} s")

    # A moment out of each part, as those drawn over the whole may leave out a half. By finished rows and a part of the
    # time of one, as a machine that does other work, too, is now faster and now slower.
    moments = []
    for part in range(during):
        row, share = divmod((part + random.random()) * total / during, 1)
        moments.append((f"rows-{int(row) - 1:06}.npy" if row else "plan.json", share * windows / total))
    moments += [("writing", (part + random.random()) * (whole - windows) / last) for part in range(last)]
    report, number = [], 0
    while moments:
        stage, moment = moments[0]
        name = f"run{number:03}"
        number += 1
        assert number < 10 * (during + last), report
        partial = folder / name / "o.tif.partial"
        child = begin(name)
        waits_for(partial / stage, child)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        names = {path.name for path in partial.iterdir()} if partial.exists() else set()
        if "plan.json" not in names:
            # it had ended, or nearly so
            moments[0] = stage, 0.7 * moment
            continue
        moments.pop(0)
        rows = len([each for each in names if each.startswith("rows-") and each.endswith(".npy")])
        whole_before = [each for each in expected if (folder / name / each).exists()]
        ended(begin(name), name)
        found, again = files(name), result(name)
        assert found.keys() == expected.keys(), (sorted(found), sorted(expected))
        differing = [each for each in expected if found[each] != expected[each]]
        assert not differing, (name, stage, moment, differing)
        assert again[1] == told, (again[1], told)
        report.append({"rows": rows, "resumed": again[0], "writing": "writing" in names, "files": whole_before})
    print(json.dumps(report))
"""


@dataclass(frozen=True)
class SceneKill:
    """A kill. rows: block rows that were finished; resumed: that the run after it says it took up; writing: whether it
    was in the last pass; files: of the result that were whole already."""

    rows: int
    resumed: int
    writing: bool
    files: tuple[str, ...]


def killed_runs(
    folder: Path, verb: str, sources: Sequence[Path], options: Sequence[object], *, during: int, last: int
) -> list[SceneKill]:
    """A verb, killed once in each of `during` equal parts of its block rows, and of `last` parts of its last pass, and
    run again. AssertionError unless files, picture and JSON (but seconds) are those of a run that was not killed."""
    paths = os.pathsep.join(each for each in sys.path if each)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(KILLED),
            folder,
            verb,
            str(during),
            str(last),
            json.dumps([str(each) for each in sources]),
            json.dumps([str(each) for each in options]),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr
    kills = [
        SceneKill(each["rows"], each["resumed"], each["writing"], tuple(each["files"]))
        for each in json.loads(done.stdout.splitlines()[-1])
    ]
    print(*done.stdout.splitlines()[:1], *kills, sep="\n")
    return kills

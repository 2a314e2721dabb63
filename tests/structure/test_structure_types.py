"""What a type checker says about calls of verbs: their options are flat keywords with types."""

import os
import re
import subprocess
import sys

CALLS = """
import spectralgpt as sg

reveal_type(sg.embed)
reveal_type(sg.embed("scene.tif", "out.tif", weights="weights", per="group", gsd=20))
sg.embed("scene.tif", "out.tif", overlp=0.5)  # E: "overlp"
sg.embed("scene.tif", "out.tif", overlap="half")  # E: "overlap"
sg.embed("scene.tif", "out.tif", precision="fp8")  # E: "precision"
sg.embed("scene.tif", "out.tif", seed=1)  # E: "seed"
sg.embed("scene.tif")  # E: "target"
sg.reconstruct(["a.tif", "b.tif"], "out.tif", seed=1, dates="2020-05-01")
sg.embed("scene.tif", "out.tif", bands=["B02", "B03"], nodata=[0, 7], dates=("2020-05-01",))
sg.embed("scene.tif", "out.tif", bands=2)  # E: "bands"
sg.embd  # E: "embd"
"""


def test_a_type_checker_sees_flat_keywords(root, tmp_path):
    (tmp_path / "calls.py").write_text(CALLS)
    package = root / "src" / "spectralgpt"
    # Of the other rooms, and of torch behind them, nothing is read: this takes seconds instead of minutes.
    leaves = [package / f"{name}.py" for name in ("__init__", "arguments", "errors", "progress")]
    files = [tmp_path / "calls.py", *leaves, *(package / "verbs").glob("*.py")]
    command = [sys.executable, "-m", "mypy", "--config-file=", "--follow-imports=skip", "--no-error-summary"]
    command += ["--cache-dir", tmp_path / "cache", *map(str, files)]
    environment = {**os.environ, "MYPYPATH": str(root / "src")}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    embed, result = re.findall(r"^calls\.py:\d+: note: Revealed type is (.*)", ended.stdout, re.MULTILINE)
    assert "per: Literal['all'" in embed
    assert "'dates'?: str | spectralgpt.arguments.ListInPython | None" in embed
    assert "Embedded" in result
    errors = dict(re.findall(r"^calls\.py:(\d+): error: (.*)", ended.stdout, re.MULTILINE))
    for number, line in enumerate(CALLS.splitlines(), 1):
        _, _, named = line.partition("# E: ")
        assert (str(number) in errors) is bool(named), (line, errors.get(str(number)))
        assert named in errors.get(str(number), ""), (line, errors)

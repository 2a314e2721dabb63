"""The commands and examples of docs/evaluation.md, the README and the help, one after the other on made images."""

import re
import shlex
import shutil

from affine import Affine
from made_rasters import NAMES, PLACE, land, write

from spectralgpt import evaluate, probe
from spectralgpt.cli.docstring import parse

COMMANDS = ("spectralgpt probe ", "spectralgpt evaluate ")


def test_commands_and_examples_run(weights, tmp_path, spectralgpt, monkeypatch, root):
    shutil.copytree(weights, tmp_path / "package" / "tiny-1")  # smaller than the packaged ones
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", tmp_path / "package")
    for number, (part, count) in enumerate({"labelled": 6, "train": 6, "test": 3}.items()):
        for label, name in enumerate(("Forest", "River")):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                seed = 100 * number + 10 * label + index
                east = Affine.translation(5000 * seed, 0)  # metres: places of their own
                values = land(16, 16, seed) // (1 + label)
                write(folder / f"{name}_{index}.tif", values, names=NAMES, transform=east @ PLACE)
    monkeypatch.chdir(tmp_path)
    pages = [(root / page).read_text(encoding="utf-8") for page in ("docs/evaluation.md", "README.md")]
    written = [line for page in pages for line in page.splitlines() if line.startswith(COMMANDS)]
    helps = [line for verb in (probe, evaluate) for line in parse(verb.__doc__).example.splitlines()]
    assert len(written) == 5
    assert len(helps) == 2
    for example in (*written, *helps):
        quick = ["--repeats", 1] if example.startswith(COMMANDS[0]) else []
        shutil.rmtree("evaluation", ignore_errors=True)  # a report on other data is not replaced
        ended = spectralgpt(*shlex.split(example)[1:], *quick)
        assert ended.code == 0, ended.err
        assert "accuracy" in ended.out
    assert (tmp_path / "report" / "probe.safetensors").exists()
    assert (tmp_path / "evaluation" / "report.html").exists()
    exec("\n".join(re.findall(r"```python\n(.*?)```", pages[0], re.DOTALL)), found := {})
    assert found["likely"].shape == (2,)
    assert [one.name for one in found["labelled"].classes] == ["water", "forest"]
    assert found["result"].counts["images"] == 12

"""The commands and the Python of docs/finetuning.md, one after the other on 120 made images."""

import re
import shlex

from affine import Affine
from made_rasters import NAMES, PLACE, land, write

from spectralgpt import finetune
from spectralgpt.cli.docstring import parse


def test_the_tutorial_runs(tmp_path, spectralgpt, monkeypatch, root):
    for first, (part, count) in enumerate({"labelled": 60, "elsewhere": 4}.items()):
        for label, name in enumerate(("Forest", "River")):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                seed = 200 * first + 100 * label + index
                east = Affine.translation(5000 * seed, 0)  # metres: places of their own
                write(
                    folder / f"{name}_{index}.tif",
                    land(16, 16, seed) // (1 + label),
                    names=NAMES,
                    transform=east @ PLACE,
                )
    monkeypatch.chdir(tmp_path)
    page = (root / "docs" / "finetuning.md").read_text(encoding="utf-8")
    written = [line for line in page.splitlines() if line.startswith("spectralgpt ")]
    assert [line.split()[1] for line in written] == ["finetune", "evaluate", "finetune"]
    assert written[0] in parse(finetune.__doc__).example
    for line in written:
        quick = ["--set", "stages.0.epochs=1"] if "finetune" in line.split() else []
        ended = spectralgpt(*shlex.split(line)[1:], *quick)
        assert ended.code == 0, ended.err
        if line == written[0]:
            assert "72 train, 24 val, 24 test" in ended.err
    exec("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), found := {})
    assert found["name"] in ("Forest", "River")
    listed = re.search(r"fine-tuned/\n((?: {4}.*\n)+)", page)
    for name in (line.split()[0] for line in listed[1].splitlines()):
        assert (tmp_path / "fine-tuned" / name).exists()
    assert (tmp_path / "half" / "summary.json").exists()
    assert (tmp_path / "evaluation" / "report.html").exists()

"""Which existing reports and probes are replaced: those of the same verb on the same data, others with overwrite."""

import json

import pytest

from made_labelled import QUICK, class_folders

COUNTS = {"water": 4, "forest": 4}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def labelled(tmp_path):
    return class_folders(tmp_path / "labelled", COUNTS)


def done(spectralgpt, *arguments):
    ended = spectralgpt(*arguments)
    assert ended.code == 0, ended.err
    return ended


def refused(spectralgpt, out, words, *arguments):
    """Exit 2 with these words, advice that ends the message, and every file as before."""
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    ended = spectralgpt(*arguments)
    assert ended.code == 2, ended.err
    assert words in ended.err
    assert ended.err.endswith("replace it: --overwrite\n")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_report_is_replaced_by_the_same_command(labelled, weights, tmp_path, spectralgpt, monkeypatch):
    out = tmp_path / "out"
    probe = ("probe", labelled, "--weights", weights, *QUICK, "--out", out)
    done(spectralgpt, *probe)
    assert "replaces" not in done(spectralgpt, *probe).err
    done(spectralgpt, *probe, "--seed", 3)
    monkeypatch.chdir(tmp_path)
    done(spectralgpt, "probe", "labelled", *probe[2:])
    scores = tmp_path / "scores"
    evaluate = ("evaluate", labelled, "--weights", out, "--out", scores)
    for _ in range(2):
        assert "replaces" not in done(spectralgpt, *evaluate).err
    # other data, another verb
    other = class_folders(tmp_path / "other", COUNTS, first=50)
    words = "holds a report of another command or on other data"
    for folder, command in (
        (out, ("probe", other, *probe[2:])),
        (scores, ("evaluate", other, *evaluate[2:])),
        (scores, ("probe", labelled, *probe[2:-1], scores)),
    ):
        refused(spectralgpt, folder, words, *command)
        assert f"replaces the report in {folder}" in done(spectralgpt, *command, "--overwrite").err
        assert "replaces" not in done(spectralgpt, *command).err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("report.html", "<html>mine</html>"),
        ("metrics.json", json.dumps({"accuracy": 1})),
        ("probe.json", json.dumps({"voltage": 3})),
        ("probe.json", "no JSON"),
    ],
)
def test_files_of_others_are_replaced_only_with_overwrite(name, text, labelled, weights, tmp_path, spectralgpt):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text(text)
    probe = ("probe", labelled, "--weights", weights, *QUICK, "--out", out)
    refused(spectralgpt, out, f"found another {name}", *probe)
    done(spectralgpt, *probe, "--overwrite")
    done(spectralgpt, *probe)


def test_a_report_without_a_mark_needs_overwrite_once(labelled, weights, tmp_path, spectralgpt):
    out = tmp_path / "out"
    probe = ("probe", labelled, "--weights", weights, *QUICK, "--out", out)
    done(spectralgpt, *probe)
    found = json.loads((out / "metrics.json").read_text())
    assert found.pop("mark")["SPECTRALGPT_VERB"] == "probe"
    (out / "metrics.json").write_text(json.dumps(found))
    refused(spectralgpt, out, "holds a report of another command", *probe)
    done(spectralgpt, *probe, "--overwrite")
    done(spectralgpt, *probe)


@pytest.mark.parametrize("which", ["data", "weights"])
def test_a_folder_of_inputs_is_no_target(which, labelled, weights, tmp_path, spectralgpt):
    out = {"data": labelled, "weights": weights}[which]
    before = sorted(out.iterdir())
    for more in ((), ("--overwrite",)):
        ended = spectralgpt("probe", labelled, "--weights", weights, *QUICK, "--out", out, *more)
        assert ended.code == 2
        assert "expected a new folder" in ended.err
        assert sorted(out.iterdir()) == before

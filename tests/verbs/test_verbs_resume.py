"""A command that follows an interrupted one, and one with a limit of time."""

import json

import pytest
import rasterio

from made_dates import two_dates
from made_interrupted import finished, interrupted
from spectralgpt.scenes import partial_of


@pytest.mark.parametrize("verb", ["embed", "reconstruct"])
def test_the_same_command_goes_on(scene, weights, tmp_path, spectralgpt, verb):
    straight, target = tmp_path / "a" / "out.tif", tmp_path / "b" / "out.tif"
    for each in (straight, target):
        each.parent.mkdir()
    ended = spectralgpt(verb, scene, straight, "--weights", weights, "--json")
    assert ended.code == 0, ended.err
    expected = ended.json
    assert expected["blocks_resumed"] == 0
    with interrupted():
        ended = spectralgpt(verb, scene, target, "--weights", weights, "--json")
    assert ended.code == 130
    assert finished(target) == 1
    ended = spectralgpt(verb, scene, target, "--weights", weights, "--json")
    assert ended.code == 0, ended.err
    found = ended.json
    assert found.pop("blocks_resumed") == 1
    for each in ("blocks_resumed", "seconds"):
        expected.pop(each)
    found.pop("seconds")
    assert json.dumps(found).replace("/b/", "/a/") == json.dumps(expected)
    names = sorted(path.name for path in straight.parent.iterdir())
    assert names == sorted(path.name for path in target.parent.iterdir())
    for name in names:
        assert (straight.parent / name).read_bytes() == (target.parent / name).read_bytes(), name


@pytest.mark.parametrize(
    ("verb", "drawn"), [("embed", "save_picture"), ("reconstruct", "save_reconstruction"), ("change", "save_change")]
)
def test_interrupted_at_the_picture_every_row_is_kept(scene, weights, tmp_path, spectralgpt, monkeypatch, verb, drawn):
    from spectralgpt import report

    sources = [scene] if verb != "change" else two_dates(tmp_path)
    command = (verb, *sources, tmp_path / "out.tif", "--weights", weights, "--json")

    def stopped(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(report, drawn, stopped)
        ended = spectralgpt(*command)
    assert ended.code == 130
    rows = finished(tmp_path / "out.tif")
    assert rows > 1
    ended = spectralgpt(*command)
    assert (ended.code, ended.json["blocks_resumed"]) == (0, rows)
    assert (tmp_path / "out.png").exists()
    assert not partial_of(tmp_path / "out.tif").exists()


def test_another_option_is_refused_and_what_was_chosen_is_taken(scene, weights, tmp_path, spectralgpt):
    target = tmp_path / "out.tif"
    first = ("embed", scene, target, "--weights", weights)
    with interrupted():
        assert spectralgpt(*first, "--batch", "1", "--overlap", "0.5").code == 130
    assert finished(target) == 1
    for more, named in (
        (("--batch", "2"), "batch 1, now 2"),
        (("--overlap", "0.25"), "overlap 0.5, now 0.25"),
        (("--threads", "2"), "threads 1, now 2"),
        (("--per", "date"), "per all, now date"),
        (("--min-valid", "0.5"), "min_valid None, now 0.5"),
    ):
        ended = spectralgpt(*first, *more)
        assert ended.code == 2
        assert f"was begun otherwise: {named}; expected" in ended.err
        assert ended.err.strip().endswith("use --restart")
        assert finished(target) == 1
    ended = spectralgpt(*first, "--json")
    assert (ended.code, ended.json["blocks_resumed"]) == (0, 1)
    with rasterio.open(target) as dataset:
        made = json.loads(dataset.tags()["SPECTRALGPT_PARAMETERS"])
    assert (made["batch"], made["overlap"], made["threads"]) == (1, 0.5, 1)


def test_restart_begins_anew(scene, weights, tmp_path, spectralgpt):
    target = tmp_path / "out.tif"
    first = ("reconstruct", scene, target, "--weights", weights, "--json")
    with interrupted():
        assert spectralgpt(*first, "--seed", "3").code == 130
    assert "seed 3, now 0" in spectralgpt(*first).err
    ended = spectralgpt(*first, "--restart")
    assert (ended.code, ended.json["blocks_resumed"]) == (0, 0)


def test_a_limit_of_time_ends_with_2(scene, weights, tmp_path, spectralgpt):
    command = ("embed", scene, tmp_path / "out.tif", "--weights", weights, "--json")
    ended = spectralgpt(*command, "--max-hours", "1e-7")
    assert ended.code == 2
    assert "--max-hours 1e-07 ended with 1 of 2 block rows finished. They are kept" in ended.err
    assert ended.json["error"]
    assert not (tmp_path / "out.tif").exists()
    ended = spectralgpt(*command)
    assert (ended.code, ended.json["blocks_resumed"]) == (0, 1)


@pytest.mark.parametrize("option", [("--max-hours", "2"), ("--restart",)])
def test_tables_have_no_such_options(scene, weights, tmp_path, spectralgpt, option):
    ended = spectralgpt("embed", scene, tmp_path / "out.csv", "--weights", weights, *option)
    assert ended.code == 2
    assert option[0] in ended.err

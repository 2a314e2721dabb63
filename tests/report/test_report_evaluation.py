"""Reports on evaluations: what the page holds, what its numbers file holds, and whose folder it goes into."""

import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from spectralgpt.errors import TargetError
from spectralgpt.report.evaluation import (
    CalibrationBins,
    ClassRow,
    ComparedScore,
    CurveLine,
    EvaluationPage,
    LearningCurve,
    SampleCard,
    SampleGallery,
    ScoreRow,
    check_report_target,
    class_colours,
    coloured_mask,
    composites,
    write_report,
)
from spectralgpt.report.evaluation import folder as folder_module
from spectralgpt.report.evaluation import gallery as gallery_module
from spectralgpt.report.evaluation.colours import FIRST_COLOURS, oklab, rgb
from spectralgpt.report.evaluation.confusion import confusion_figure, row_shares
from spectralgpt.report.evaluation.learning import learning_figure, means
from spectralgpt.report.evaluation.numbers import decimal, interval, percent, short, signed
from spectralgpt.report.evaluation.reliability import reliability_figure
from spectralgpt.report.evaluation.scoring import comparison_table

EMPTY = {"meta", "img"}
NAMES = ("water", "<b>forest</b>", 'a "quoted" & $dollar$ name')
SHOTS = (1, 5, 20)


class Parsed(HTMLParser):
    """A page's elements, its text, and its mistakes."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[name] for name in ("src", "href", "xlink:href", "action", "data") if name in values]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


def picture(side: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((side, side, 3), np.float32)


def page(**changed) -> EvaluationPage:
    """A page with every part."""
    values = np.array([[0.3, 0.4, np.nan], [0.5, 0.6, 0.7], [0.81, 0.82, 0.83]])
    mask = np.array([[0, 1], [-1, 2]], np.int16).repeat(16, 0).repeat(16, 1)
    others = [
        ComparedScore("untrained", 0.6123, (0.5, 0.7), 0.2004, (0.1111, 0.2888)),
        ComparedScore("statistics & <i>trees</i>", 0.9, (0.8, 0.95), -0.0873, (-0.12, -0.0555)),
    ]
    cards = [
        SampleCard("masks.tif", [("before", picture()), ("after", picture(seed=1))], (), (), mask, mask, 0.1234),
        SampleCard("labels/<u>.tif", [("", picture())], NAMES[:2], NAMES[1:], score=0.9876, note="a note"),
    ]
    parts = EvaluationPage(
        "Three <classes>",
        "on 12 images",
        "tiny & new",
        ["The weights saw 7 of 12 images."],
        [("weights", "tiny 0d57c98f"), ("seed", "0")],
        ["No groups <known>."],
        "spectralgpt probe 'A & B' --out report",
        [
            ScoreRow("accuracy", "accuracy", 0.8127, (0.7443, 0.8771), others),
            ScoreRow("macro_f1", "macro F1", float("nan")),
            ScoreRow("calibration_error", "calibration error", 0.0712, lower_is_better=True, compared=others[:1]),
        ],
        "95 %, bootstrap over 5 places",
        [
            ClassRow(NAMES[0], "#123456", 6, {"F1": 0.7531, "IoU": 0.6204}),
            ClassRow(NAMES[1], None, 6, {"F1": 0.3337, "IoU": 0.2001}),
            ClassRow(NAMES[2], None, 0, {"F1": float("nan"), "IoU": float("nan")}),
        ],
        np.array([[5, 1, 0], [2, 3, 1], [0, 0, 0]]),
        "images",
        [LearningCurve("accuracy", [CurveLine("tiny & new", SHOTS, values, values[:, 0], values[:, 1])])],
        CalibrationBins(np.array([0.0, 4, 8]), np.array([np.nan, 0.5, 0.94]), np.array([np.nan, 0.75, 0.7]), 0.2083),
        [SampleGallery("Worst", cards, "F1"), SampleGallery("Best", cards[:1])],
    )
    return dataclasses.replace(parts, **changed)


NOTHING = {
    "marks": (),
    "facts": (),
    "notes": (),
    "command": "",
    "subtitle": "",
    "scores": (),
    "intervals": "",
    "classes": (),
    "confusion": None,
    "curves": (),
    "calibration": None,
    "galleries": (),
}
"""A page without any part but its title."""


def bare(**parts) -> EvaluationPage:
    """A page with these parts alone, which takes less time to draw."""
    return page(**{**NOTHING, **parts})


def written(folder: Path, contents: EvaluationPage, **metrics) -> tuple[str, dict]:
    write_report(folder, contents, metrics)
    assert sorted(each.name for each in folder.iterdir()) == ["metrics.json", "report.html"]
    return (folder / "report.html").read_text(), json.loads((folder / "metrics.json").read_text())


def test_the_page_is_whole_and_needs_no_other_file(tmp_path):
    text, _ = written(tmp_path / "report", page())
    parsed = Parsed(text)
    assert not parsed.wrong
    assert not parsed.open
    assert len(set(parsed.ids)) == len(parsed.ids) > 50
    assert parsed.tags.count("svg") == 3
    assert "script" not in parsed.tags
    assert "link" not in parsed.tags
    for link in parsed.links:
        assert link.startswith("data:image/") or link.removeprefix("#") in parsed.ids, link[:80]
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    # every clip path and marker that is referred to exists
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(parsed.ids)


def test_the_page_says_everything(tmp_path):
    text, _ = written(tmp_path, page())
    seen = Parsed(text).text
    for number in ("0.813", "0.744 to 0.877", "0.612", "0.500 to 0.700", "+0.200 (0.111 to 0.289)", "0.071", "0.208"):
        assert number in seen, number
    for number in ("0.753", "0.620", "0.334", "0.200", "0.123", "0.988", "0.350", "0.600", "0.820", "83 %"):
        assert number in seen, number
    minus = "\N{MINUS SIGN}"
    assert f"{minus}0.087 ({minus}0.120 to {minus}0.056)" in seen
    for words in (*NAMES, "Three <classes>", "saw 7 of 12 images", "tiny 0d57c98f", "No groups <known>", "'A & B'"):
        assert words in seen, words
    for words in ("statistics & <i>trees</i>", "labels/<u>.tif", "a note", "95 %, bootstrap over 5 places", "Worst"):
        assert words in seen, words
    assert not {"b", "i", "u", "classes", "known"} & (set(Parsed(text).tags) - {"b"})
    assert "<b>forest" not in text
    assert text.index('role="alert"') < text.index("<nav>"), "warnings come first"
    assert '<dd class="right">✓ &lt;b&gt;forest' in text
    assert '<dd class="wrong">✗ a &quot;quoted' in text
    assert '<dd class="missed">water' in text


def test_differences_are_marked_where_they_are_clear():
    def verdict(ends, **row) -> str:
        other = ComparedScore("other", 0.5, difference=0.1, difference_interval=ends)
        text = comparison_table([ScoreRow("a", "a", 0.6, compared=[other], **row)], "own")
        (found,) = re.findall(r'class="difference ?(\w*)"', text)
        return found

    assert verdict((0.01, 0.2)) == "better"
    assert verdict((-0.2, -0.01)) == "worse"
    assert verdict((-0.2, 0.01)) == ""
    assert verdict((float("nan"), float("nan"))) == ""
    assert verdict((0.01, 0.2), lower_is_better=True) == "worse"
    assert verdict((-0.2, -0.01), lower_is_better=True) == "better"


def test_numbers_for_programs(tmp_path):
    third = 1 / 3
    extra = {
        "accuracy": third,
        "single": np.float32(0.1),
        "counts": np.array([[1, 2]]),
        "infinite": float("inf"),
        "path": Path("a") / "b",
        "bins": page().calibration,
        "notes": ["replaced"],
        "nested": {"nan": [np.nan, third], 3: True},
    }
    _, numbers = written(tmp_path, page(), **extra)
    assert numbers["format"] == "spectralgpt report"
    assert numbers["version"] == 1
    assert numbers["accuracy"] == third
    assert numbers["single"] == float(np.float32(0.1))
    assert numbers["counts"] == [[1, 2]]
    assert numbers["infinite"] is None
    assert numbers["path"] == str(Path("a") / "b")
    assert numbers["bins"] == numbers["calibration"]
    assert numbers["notes"] == ["replaced"]
    assert numbers["nested"] == {"nan": [None, third], "3": True}
    assert numbers["scores"]["accuracy"]["value"] == 0.8127
    assert (numbers["scores"]["accuracy"]["low"], numbers["scores"]["accuracy"]["high"]) == (0.7443, 0.8771)
    assert numbers["scores"]["accuracy"]["compared"]["untrained"]["difference_low"] == 0.1111
    assert numbers["scores"]["macro_f1"]["value"] is None
    assert numbers["confusion"] == [[5, 1, 0], [2, 3, 1], [0, 0, 0]]
    assert numbers["classes"][2] == {"name": NAMES[2], "count": 0, "scores": {"F1": None, "IoU": None}}
    line = numbers["curves"][0]["lines"][0]
    assert line["values"] == [[0.3, 0.4, None], [0.5, 0.6, 0.7], [0.81, 0.82, 0.83]]
    assert line["shots"] == list(SHOTS)
    assert numbers["calibration"]["error"] == 0.2083
    assert numbers["facts"]["seed"] == "0"


SECTIONS = {
    "scores": {"scores", "comparison"},
    "classes": {"classes"},
    "confusion": {"confusion"},
    "curves": {"learning-curve"},
    "calibration": {"calibration"},
    "galleries": {"samples"},
    "facts": {"how-this-was-made"},
    "notes": {"how-this-was-made"},
    "command": {"how-this-was-made"},
}
"""The ids of the sections that each part of a page makes."""


@pytest.mark.parametrize("part", NOTHING)
def test_parts_do_not_need_each_other(tmp_path, part):
    full = page()
    changed = {part: getattr(full, part)}
    if part in ("confusion", "galleries"):  # their indices are of classes
        changed["classes"] = [ClassRow(name) for name in NAMES]
    text, numbers = written(tmp_path, bare(**changed))
    parsed = Parsed(text)
    assert not parsed.wrong
    assert not parsed.open
    assert set(parsed.ids) & set().union(*SECTIONS.values()) == SECTIONS.get(part, set())
    assert ("confusion" in numbers) == (part == "confusion")
    assert "nan" not in parsed.text.split()


def test_a_title_alone(tmp_path):
    text, _ = written(tmp_path, bare())
    assert not Parsed(text).wrong
    assert "<nav>" not in text


@pytest.mark.parametrize(
    "changed",
    [
        {"curves": [LearningCurve("F1", [])]},
        {"curves": [LearningCurve("F1", [CurveLine("a", (), np.empty((0, 3)))])]},
        {"curves": [LearningCurve("F1", [CurveLine("a", (5,), np.full((1, 2), np.nan))])]},
        {
            "curves": [
                LearningCurve("F1", [CurveLine("a", (0, 5), np.ones((2, 1))), CurveLine("b", (5,), np.ones((1, 9)))])
            ]
        },
        {"calibration": CalibrationBins(np.zeros(10), np.full(10, np.nan), np.full(10, np.nan), float("nan"))},
        {"confusion": np.zeros((3, 3), np.int64)},
        {"galleries": [SampleGallery("Worst", [])]},
        {"galleries": [SampleGallery("Worst", [SampleCard("no picture")])]},
        {"classes": [ClassRow("a"), ClassRow("b"), ClassRow("c")]},
    ],
)
def test_odd_parts(tmp_path, changed):
    changed = {"classes": [ClassRow(name) for name in NAMES], **changed}
    parsed = Parsed(written(tmp_path, bare(**changed))[0])
    assert not parsed.wrong
    assert not parsed.open


def test_a_report_replaces_a_report_and_nothing_else(tmp_path):
    folder = tmp_path / "new" / "report"
    check_report_target(folder)
    assert not folder.exists()
    first, _ = written(folder, page())
    again, _ = written(folder, page())
    assert again == first, "the same contents are the same bytes"
    (folder / "mine.txt").write_text("beside it")
    check_report_target(folder)
    write_report(folder, bare(title="second"), {})
    assert "<h1>second</h1>" in (folder / "report.html").read_text()
    assert (folder / "mine.txt").read_text() == "beside it"
    (folder / "metrics.json").unlink()  # as after a kill between the two files
    check_report_target(folder)
    (folder / "report.html").unlink()
    with pytest.raises(TargetError, match=r"found mine.txt; expected a new folder"):
        check_report_target(folder)
    check_report_target(folder, beside=("mine.txt",))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("report.html", b"<html><body>another's</body></html>"),
        ("metrics.json", b'{"accuracy": 1}'),
        ("metrics.json", b"[1]"),
        ("metrics.json", b"not JSON \xff"),
        ("data.csv", b"a,b"),
    ],
)
def test_a_foreign_folder_is_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    for refused in (lambda: check_report_target(tmp_path), lambda: write_report(tmp_path, bare(), {})):
        with pytest.raises(TargetError, match=re.escape(name)):
            refused()
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [(name, data)]


def test_a_foreign_file_beside_a_report_of_ours_is_refused_too(tmp_path):
    written(tmp_path, bare())
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(TargetError, match=r"another metrics.json"):
        write_report(tmp_path, bare(), {}, beside=("metrics.json",))
    assert (tmp_path / "metrics.json").read_text() == "{}"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(TargetError, match="found a file; expected a folder"):
        check_report_target(tmp_path / "file")
    with pytest.raises(TargetError, match="file is not a folder"):
        check_report_target(tmp_path / "file" / "report")


def test_what_a_killed_run_left_does_no_harm(tmp_path):
    (tmp_path / "report.html.partial").write_text("half")
    (tmp_path / ".DS_Store").write_text("")
    write_report(tmp_path, bare(), {})
    assert not (tmp_path / "report.html.partial").exists()


def test_a_full_disk_leaves_the_earlier_report(tmp_path, monkeypatch):
    first, numbers = written(tmp_path, bare())

    def full(path, *how, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_module, "atomic_write", full)
    with pytest.raises(TargetError, match="No space left on device"):
        write_report(tmp_path, bare(title="second"), {})
    assert (tmp_path / "report.html").read_text() == first
    assert json.loads((tmp_path / "metrics.json").read_text()) == numbers


@pytest.mark.parametrize("classes", [2, 10, 20, 43, 62])
def test_every_class_of_a_confusion_matrix_is_named_and_legible(classes):
    names = [f"class {index} with a name of usual length" for index in range(classes)]
    counts = np.random.default_rng(0).integers(0, 30, (classes, classes)) + 200 * np.eye(classes, dtype=np.int64)
    counts[1] = 0
    figure = confusion_figure(counts, names)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert len({label.get_text() for label in labels}) == classes
        boxes = [label.get_window_extent() for label in labels]
        inside = figure.bbox
        for box in boxes:
            assert box.x0 >= inside.x0 - 1
            assert box.x1 <= inside.x1 + 1
            assert box.y0 >= inside.y0 - 1
            assert box.y1 <= inside.y1 + 1
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        assert labels[0].get_fontsize() >= 7
    # a page shows at most 1104 pixels of width: labels stay above 6.5 CSS pixels
    assert 7.5 / 72 * 96 * min(1, 1104 / (figure.get_figwidth() * 96)) > 6.5
    written = [text for text in axes.texts if text.get_position()[1] == 1]
    assert not written, "an absent class has no shares"


def test_row_shares():
    np.testing.assert_array_equal(
        row_shares(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]])), [[0.75, 0.25, 0], [np.nan] * 3, [0, 0, 1]]
    )


def test_a_large_matrix_stays_small(tmp_path):
    classes = [ClassRow(f"class {index}", None, 100, {"F1": 0.5, "IoU": 0.4}) for index in range(62)]
    counts = np.random.default_rng(0).integers(0, 9_000_000, (62, 62))
    noise = [SampleCard(f"{seed}.tif", [("before", picture(300, seed))] * 2) for seed in range(40)]
    galleries = [SampleGallery("Worst", noise), SampleGallery("Best", noise)]
    text, numbers = written(tmp_path, page(classes=classes, confusion=counts, galleries=galleries))
    assert len(text) < 3_000_000
    assert numbers["confusion"] == counts.tolist()
    assert "Some are shown without pictures" in text
    assert Parsed(text).tags.count("img") > 20


def test_a_curve_shows_every_repeat_and_the_mean():
    values = np.array([[0.3, 0.4, np.nan], [0.5, 0.6, 0.7], [0.81, 0.82, 0.83]])
    lines = [
        CurveLine("own", SHOTS, values, values[:, 0] - 0.1, values[:, 1]),
        CurveLine("other", (1, 5), values[:2], compared=True),
    ]
    (axes,) = learning_figure(LearningCurve("accuracy", lines)).axes
    points, mean, other_points, other_mean = axes.lines
    np.testing.assert_array_equal(points.get_ydata(), values.ravel())
    np.testing.assert_allclose(mean.get_ydata(), [0.35, 0.6, 0.82])
    np.testing.assert_array_equal(mean.get_xdata(), SHOTS)
    assert np.abs(np.reshape(points.get_xdata(), (3, 3)) / np.array(SHOTS)[:, None] - 1).max() < 0.05
    assert len(other_points.get_ydata()) == 6
    assert (mean.get_label(), other_mean.get_label()) == ("own", "other")
    assert mean.get_color() != other_mean.get_color()
    assert len(axes.collections) == 1, "a band where there is an interval"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "5", "20"]
    assert np.isnan(means(np.full((1, 3), np.nan))).all()


def test_a_reliability_diagram_shows_shares_over_probabilities():
    bins = page().calibration
    above, below = reliability_figure(bins, "images").axes
    assert [bar.get_height() for bar in above.patches] == [0.75, 0.7]
    np.testing.assert_allclose([bar.get_x() + bar.get_width() / 2 for bar in above.patches], [0.5, 5 / 6])
    _, points = above.lines
    np.testing.assert_array_equal(points.get_xydata(), [[0.5, 0.5], [0.94, 0.94]])
    assert [bar.get_height() for bar in below.patches] == [0, 4, 8]


def test_colours_are_distinct_and_stay_with_their_index():
    colours = class_colours([None] * 62)
    assert colours[: len(FIRST_COLOURS)] == FIRST_COLOURS
    assert class_colours([None] * 10) == colours[:10]
    assert class_colours([None, "#abcdef", None]) == (colours[0], "#abcdef", colours[2])
    assert len(class_colours([None] * 1000)) == 1000
    places = oklab(np.array([rgb(colour) for colour in colours]))
    distances = [np.linalg.norm(one - other) for one, other in combinations(places, 2)]
    # 0.02 is about what one just sees
    assert min(distances) > 0.06
    first = [np.linalg.norm(one - other) for one, other in combinations(places[:12], 2)]
    assert min(first) > 0.1


def test_oklab_of_known_colours():
    """White, red and blue as B. Ottosson's page states them."""
    lab = oklab(np.array([[255, 255, 255], [255, 0, 0], [0, 0, 255]]))
    expected = [[1, 0, 0], [0.62796, 0.22486, 0.12585], [0.45201, -0.03246, -0.31153]]
    np.testing.assert_allclose(lab, expected, atol=2e-4)


def test_a_mask_in_colours():
    mask = np.zeros((9, 9), np.uint8)
    mask[:3] = 1
    shown = coloured_mask(mask, ("#010203", "#0a0b0c"))
    assert (shown[:3] == (10, 11, 12, 255)).all()
    assert (shown[3:] == (1, 2, 3, 255)).all()
    ignored = coloured_mask(np.full((9, 9), -1, np.int16), ())
    assert (ignored[..., 3] < 255).all()
    assert len(np.unique(ignored[..., 0])) == 2, "stripes"
    with pytest.raises(ValueError, match="class 2"):
        coloured_mask(np.array([[2]]), ("#010203", "#0a0b0c"))


def images(text: str, kind: str) -> list[np.ndarray]:
    found = re.findall(rf'<img src="data:image/{kind};base64,([^"]+)"', text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in found]


def test_pictures_on_the_page_are_those_given(tmp_path):
    side = 300  # larger than on the page
    smooth = np.linspace(0, 1, side, dtype=np.float32)[:, None, None] * np.array([1, 0.5, 0.2], np.float32)
    smooth = np.ascontiguousarray(np.broadcast_to(smooth, (side, side, 3)))
    mask = np.zeros((side, side), np.int16)
    mask[:, side // 2 :] = 2
    card = SampleCard("a", [("image", smooth)], truth_mask=mask, predicted_mask=mask[:, ::-1])
    text, _ = written(tmp_path, bare(classes=page().classes, galleries=[SampleGallery("Worst", [card])]))
    (shown,) = images(text, "jpeg")
    assert shown.shape == (150, 150, 3)
    np.testing.assert_allclose(shown / 255, smooth.reshape(150, 2, 150, 2, 3).mean((1, 3)), atol=0.03)
    truth, predicted = images(text, "png")
    colours = class_colours(["#123456", None, None])
    assert (truth[:, :75, :3] == rgb(colours[0])).all()
    assert (truth[:, 75:, :3] == rgb(colours[2])).all()
    np.testing.assert_array_equal(predicted, truth[:, ::-1])
    legend = text[text.index('<ul class="legend">') :].partition("</ul>")[0]
    assert legend.count("<li>") == 2, "the classes that are in a mask"


def test_small_pictures_keep_their_pixels(tmp_path):
    shown = gallery_module._reduced(picture(5))
    np.testing.assert_allclose(shown, picture(5), atol=1e-7)
    assert gallery_module._reduced(picture(193)).shape == (97, 97, 3)


def test_dates_have_one_stretch():
    rng = np.random.default_rng(0)
    dark = rng.uniform(0.05, 0.1, (4, 8, 8)).astype(np.float32)
    bright = dark + np.float32(0.2)
    bright[:, 0, 0] = np.nan
    before, after = composites(np.stack([dark, bright]), (490.0, 560.0, 665.0, 842.0))
    assert before.shape == (8, 8, 3)
    assert before.max() < after[1:].min()
    assert (after[0, 0] == 1).all()
    # blue is the first band, and the last colour
    order = np.argsort(dark[0].ravel())
    assert (np.diff(before[..., 2].ravel()[order]) >= 0).all()


def test_numbers_in_words():
    minus, dash = "\N{MINUS SIGN}", "\N{EN DASH}"
    assert [decimal(each) for each in (0.8125, -1, float("nan"))] == ["0.812", f"{minus}1.000", dash]
    assert [signed(each, 2) for each in (0.1, -0.1, float("inf"))] == ["+0.10", f"{minus}0.10", dash]
    assert interval((0.1, float("nan"))) == ""
    assert [percent(each) for each in (0.0, 0.001, 0.873, 1.0, float("nan"))] == ["0 %", "<1 %", "87 %", "100 %", dash]
    counts = (0, 999, 1_000, 9_949, 9_951, 123_456, 3_400_000, 2_000_000_000)
    assert [short(each) for each in counts] == ["0", "999", "1.0k", "9.9k", "10k", "123k", "3.4M", "2.0G"]


def test_texts_of_a_figure_take_the_colour_of_the_page(tmp_path, monkeypatch):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **how: figures.append(self) or save(self, *args, **how))
    text, _ = written(tmp_path, page())
    assert len(figures) == 3
    assert "currentColor" in text
    assert "#010203" not in text
    assert "#000000" not in text

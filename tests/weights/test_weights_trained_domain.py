"""What weights were trained on: its record, its union, and what is said of images outside it."""

import json
import math

import pytest

from made_weights import small_weights
from spectralgpt.nn import PooledConfig
from spectralgpt.weights import Classifier, SpectralGPT, TrainedDomain, describe
from spectralgpt.weights.trained_domain import GSD_MARGIN, ImageKind, outside_note, outside_probe_note

S2 = ("s2-l2a", ("B2", "B3", "B4"))
LANDSAT = ("landsat8-c2l2", ("B4", "B5"))
HLS = ("hls-s30", ("B02",))
DOMAINS = [
    TrainedDomain((S2,), (10.0, 10.0)),
    TrainedDomain((LANDSAT, S2), (10.0, 30.0), 3),
    TrainedDomain((HLS, LANDSAT), None, 2),
]


@pytest.mark.parametrize("domain", DOMAINS)
def test_there_and_back(domain, tmp_path):
    assert TrainedDomain.of(json.loads(json.dumps(domain.entries()))) == domain
    model = small_weights()
    before = model.fingerprint()
    model.provenance = {**model.provenance, **domain.entries()}
    assert model.fingerprint() == before
    model.save_pretrained(tmp_path / "w")
    back = SpectralGPT.from_pretrained(tmp_path / "w")
    assert TrainedDomain.of(back.provenance) == domain
    assert back.fingerprint() == before
    assert f"domain: {domain}" in describe(back).provenance
    card = (tmp_path / "w" / "README.md").read_text()
    assert f"| domain | {domain} |" in card
    assert "| trained |" not in card


@pytest.mark.parametrize(
    "record",
    [
        None,
        "all",
        {},
        {"sensors": {}, "gsd": None, "dates": 1},
        {"sensors": ["s2-l2a"], "gsd": None, "dates": 1},
        {"sensors": {"s2-l2a": ["B2"]}, "gsd": [10], "dates": 1},
        {"sensors": {"s2-l2a": ["B2"]}, "gsd": [30, 10], "dates": 1},
        {"sensors": {"s2-l2a": ["B2"]}, "gsd": ["x", 10], "dates": 1},
        {"sensors": {"s2-l2a": 3}, "gsd": None, "dates": 1},
        {"sensors": {"s2-l2a": ["B2"]}, "dates": 1},
    ],
)
def test_a_record_of_another_form_is_none(record):
    provenance = {} if record is None else {"trained": record}
    assert TrainedDomain.of(provenance) is None
    assert outside_note(provenance, "a.tif", [ImageKind("naip", 1.0)]) == ()
    model = small_weights()
    model.provenance = provenance
    assert ("trained" in str(describe(model))) is (record is not None), "what others wrote is shown as it stands"


def test_the_union_of_two():
    one, two, three = DOMAINS
    assert one | two == TrainedDomain((LANDSAT, S2), (10.0, 30.0), 3) == two | one
    assert (two | three).gsd is None
    assert (two | three).dates == 3
    other = TrainedDomain((("s2-l2a", ("B4", "B8")),), (20.0, 60.0))
    assert one | other == TrainedDomain((("s2-l2a", ("B2", "B3", "B4", "B8")),), (10.0, 60.0))
    assert one | one == one


def test_of_statistics():
    found = TrainedDomain.of_normalization(small_weights().normalization)
    assert [name for name, _ in found.sensors] == ["s2-l1c"]
    assert len(found.sensors[0][1]) == 12
    assert found.gsd is None


@pytest.mark.parametrize(
    ("domain", "inside"),
    [(DOMAINS[0], [10.0, 10 / GSD_MARGIN, 15.0]), (DOMAINS[1], [6.7, 20.0, 45.0]), (DOMAINS[2], [0.1, 500.0])],
)
def test_images_inside_are_not_mentioned(domain, inside):
    for sensor, _ in domain.sensors:
        for gsd in (*inside, math.nan):
            assert domain.note([ImageKind(sensor, gsd)]) == ""
            assert outside_note(domain.entries(), "a.tif", [ImageKind(sensor, gsd)]) == ()


@pytest.mark.parametrize(
    ("domain", "image", "said"),
    [
        (
            DOMAINS[0],
            ImageKind("s2-l1c", 10.0),
            "a.tif: is outside what the weights were trained on (s2-l2a; 10 m per pixel): s2-l1c",
        ),
        (
            DOMAINS[0],
            ImageKind("s2-l2a", 15.1),
            "a.tif: is outside what the weights were trained on (s2-l2a; 10 m per pixel): 15.1 m per pixel",
        ),
        (
            DOMAINS[1],
            ImageKind("naip", 0.6),
            "a.tif: is outside what the weights were trained on (landsat8-c2l2, s2-l2a; 10 to 30 m per pixel): naip, "
            "0.6 m per pixel",
        ),
        (
            DOMAINS[2],
            ImageKind("naip", 0.6),
            "a.tif: is outside what the weights were trained on (hls-s30, landsat8-c2l2): naip",
        ),
    ],
)
def test_an_image_outside_gets_one_line(domain, image, said):
    assert outside_note(domain.entries(), "a.tif", [image]) == (said,)


def test_many_images_get_one_line():
    images = [
        ImageKind("s2-l2a", 10.0),
        ImageKind("naip", 1.0),
        ImageKind("s2-l1c", 10.0),
        ImageKind("s2-l2a", 60.0),
        ImageKind("s2-l2a", math.nan),
    ]
    assert outside_note(DOMAINS[0].entries(), "data", images) == (
        "data: 3 of 5 images are outside what the weights were trained on (s2-l2a; 10 m per pixel): naip, s2-l1c, 1 to "
        "60 m per pixel",
    )
    assert outside_note(DOMAINS[0].entries(), "", images[1:2])[0].startswith("the image is outside")


def test_derived_models_keep_the_record():
    model = small_weights()
    model.provenance |= DOMAINS[1].entries()
    assert TrainedDomain.of(Classifier.from_encoder(model, PooledConfig(classes=3)).provenance) == DOMAINS[1]
    assert TrainedDomain.of(model.resized(64).provenance) == DOMAINS[1]


def test_the_domain_of_images_is_their_sensors_and_sizes():
    images = [ImageKind("s2-l2a", 10.0012), ImageKind("s2-l1c", 20.0), ImageKind("s2-l2a", math.nan)]
    domain = TrainedDomain.of_images(images)
    assert domain == TrainedDomain((("s2-l1c", ()), ("s2-l2a", ())), (10.0, 20.0))
    assert TrainedDomain.of_images([ImageKind("naip", math.nan)]) == TrainedDomain((("naip", ()),), None)
    assert TrainedDomain.of_images([]) is None
    assert outside_probe_note(domain, "a.tif", images) == ()
    assert outside_probe_note(None, "a.tif", [ImageKind("naip", 1.0)]) == ()
    line = (
        "a folder: 1 of 2 images are outside what the probe was fitted to (s2-l1c, s2-l2a; 10 to 20 m per pixel): naip"
    )
    assert outside_probe_note(domain, "a folder", [ImageKind("naip", 12.0), images[0]]) == (line,)


FITTED = [
    ImageKind("s2-l2a", 10.0, ("B2", "B3", "B4", "B8")),
    ImageKind("s2-l2a", 10.0, ("B2", "B4", "B8")),
    ImageKind("naip", 1.0, ("red",)),
]


def test_bands_that_all_images_of_a_sensor_had_are_missed():
    domain = TrainedDomain.of_images(FITTED)
    assert domain == TrainedDomain((("naip", ("red",)), ("s2-l2a", ("B2", "B4", "B8"))), (1.0, 10.0))
    bands = ("B8", "B4", "B2"), ("B2", "B3", "B4"), ("B2",)
    whole, three, one = (ImageKind("s2-l2a", 10.0, each) for each in bands)
    assert outside_probe_note(domain, "a.tif", [whole]) == ()
    line = "lacks bands of the images that the probe was fitted to: B8"
    assert outside_probe_note(domain, "a.tif", [three]) == (f"a.tif: {line}",)
    assert outside_probe_note(domain, "", [three]) == (f"the image {line}",)
    assert outside_probe_note(domain, "a folder", [whole, three, one]) == (
        "a folder: 2 of 3 images lack bands of the images that the probe was fitted to: B8, B4",
    )
    (other,) = outside_probe_note(domain, "a.tif", [ImageKind("landsat8-c2l2", 10.0, ("B1",))])
    assert "outside" in other, "of another sensor, that is all there is to say"


def test_bands_count_for_probes_alone():
    """Pretraining hides some of every image."""
    provenance = TrainedDomain.of_images(FITTED).entries()
    assert outside_note(provenance, "a.tif", [ImageKind("s2-l2a", 10.0, ("B2",))]) == ()

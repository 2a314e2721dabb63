"""A probe's files give back what was written, single numbers too."""

import numpy as np

from spectralgpt.features.probe_files import PROBE_FORMAT, PROBE_VERSION, ProbeDescription, read_probe, write_probe
from spectralgpt.tasks import Class


def test_numbers_come_back_with_their_shapes(tmp_path):
    description = ProbeDescription(
        format=PROBE_FORMAT,
        version=PROBE_VERSION,
        target="class",
        classes=(Class("water"), Class("forest", "#1b7837")),
        method="knn",
        settings={"neighbours": "5"},
        thresholds=(),
        weights="w",
        fingerprint="f",
        read_out="auto",
        bands_as=None,
        precision="fp32",
        rules=1,
        checksum="",
        images=("0" * 16,),
    )
    numbers = {"one": np.array(5), "column": np.arange(6.0).reshape(2, 3).T}
    write_probe(tmp_path, description, numbers)
    described, found = read_probe(tmp_path)
    assert (described.classes, described.images) == (description.classes, description.images)
    for name, array in numbers.items():
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)

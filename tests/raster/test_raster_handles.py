"""Files that cannot be opened."""

import pytest

from spectralgpt.errors import RasterError
from spectralgpt.raster.handles import open_dataset


@pytest.mark.parametrize(
    ("name", "what"), [("a.csv", "found a table"), ("a.parquet", "found a table"), ("a.GEOJSON", "found vector data")]
)
def test_a_file_that_is_plainly_no_image_is_named_as_what_it_is(tmp_path, name, what):
    (tmp_path / name).write_text("path,label\n")
    with pytest.raises(RasterError, match=rf"{name}: {what}; expected a raster"):
        open_dataset(str(tmp_path / name))

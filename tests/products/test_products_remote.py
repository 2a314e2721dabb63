"""Images on other machines: read where the user allows it. The other machine is a server in this process."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from made_rasters import NAMES, land, write

from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster


@pytest.fixture
def served(tmp_path):
    """The address of an image, its values, and what was asked of the server."""
    values, asked = land(16, 16), []
    content = write(tmp_path / "image.tif", values, names=NAMES).read_bytes()

    class Server(BaseHTTPRequestHandler):
        def do_GET(self, body=True):
            asked.append(self.path)
            if self.path != "/image.tif":
                return self.send_error(404)
            part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            start, end = (int(part[1]), min(int(part[2]) + 1, len(content))) if part else (0, len(content))
            self.send_response(206 if part else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(end - start))
            if part:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            self.end_headers()
            if body:
                self.wfile.write(content[start:end])

        def do_HEAD(self):
            self.do_GET(body=False)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/image.tif", values, asked
        server.shutdown()


def vrt(path, source):
    parts = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}"><Description>{name}</Description><SimpleSource>'
        f"<SourceFilename>{source}</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band, name in enumerate(NAMES, 1)
    )
    path.write_text(f'<VRTDataset rasterXSize="16" rasterYSize="16">{parts}</VRTDataset>')
    return path


@pytest.mark.parametrize("through", ["address", "vrt", "vrt by /vsicurl"])
def test_only_where_it_is_allowed(tmp_path, served, through):
    address, values, asked = served
    source = address
    if through != "address":
        source = vrt(tmp_path / "scene.tif", f"/vsicurl/{address}" if "vsicurl" in through else address)
    with pytest.raises(RasterError, match="found a remote source; expected a local file") as refused:
        open_raster(source, bands="s2-l1c")
    assert refused.value.advice == (("allow_remote", True),)
    assert asked == []
    with open_raster(source, bands="s2-l1c", allow_remote=True) as raster:
        assert np.array_equal(raster.read().values[0], values)
    assert asked
    with pytest.raises(RasterError, match="remote source"):  # it is of one call, not of the process
        open_raster(source, bands="s2-l1c")

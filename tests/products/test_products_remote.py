"""Images on other machines: read where the user allows it. The other machine is a server on this one."""

import subprocess
import sys

import numpy as np
import pytest
from made_rasters import NAMES, land, write

from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster

SERVER = """
import re, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

content = open(sys.argv[1], "rb").read()

class Server(BaseHTTPRequestHandler):
    def do_GET(self, body=True):
        open(sys.argv[2], "a").write(self.path + chr(10))
        if self.path != "/image.tif":
            return self.send_error(404)
        part = re.fullmatch("bytes=([0-9]+)-([0-9]+)", self.headers.get("Range", ""))
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

server = HTTPServer(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
"""
"""In a process of its own: GDAL keeps Python waiting while it opens an image."""


@pytest.fixture
def served(tmp_path):
    """The address of an image, its values, and a function that returns what was asked of the server."""
    values, asked = land(16, 16), tmp_path / "asked"
    asked.touch()
    command = [sys.executable, "-c", SERVER, str(write(tmp_path / "image.tif", values, names=NAMES)), str(asked)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            yield f"http://127.0.0.1:{port}/image.tif", values, lambda: asked.read_text()
        finally:
            server.kill()


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
    assert asked() == ""
    with open_raster(source, bands="s2-l1c", allow_remote=True) as raster:
        assert np.array_equal(raster.read().values[0], values)
    assert "/image.tif" in asked()
    with pytest.raises(RasterError, match="remote source"):  # it is of one call, not of the process
        open_raster(source, bands="s2-l1c")

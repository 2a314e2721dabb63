"""The header of a classic NetCDF file, whose counts are checked before the library takes memory for them."""

import struct
from dataclasses import dataclass

from spectralgpt.errors import RasterError

VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
"""Bytes per value of an attribute, by type (NetCDF classic format, and the types of CDF-5)."""

LONGEST_HEADER = 2**24
"""Bytes of a header that are looked at."""


def refuse_impossible_counts(path: str, size: int) -> None:
    """RasterError for a file that begins as classic NetCDF and counts more names, values or dimensions in its header
    than its bytes can hold; nothing for any other file. size: of the file, bytes."""
    with open(path, "rb") as file:
        head = file.read(4)
        if head[:3] != b"CDF" or head[3:] not in (b"\1", b"\2", b"\5"):
            return
        header = CountedHeader(head + file.read(LONGEST_HEADER), wide=head[3] == 5, far=head[3] != 1)
    try:
        header.walk(size)
    except struct.error:  # it ends in its header: the library says so
        return
    except OverflowError as error:
        raise RasterError(
            f"{path}: found {error} in the header of a file of {size} bytes",
            "no more than it can hold",
            "Download it again",
        ) from None


@dataclass(slots=True)
class CountedHeader:
    """A place in a header. wide: counts have 8 bytes; far: so have the places of variables."""

    content: bytes
    wide: bool
    far: bool
    at: int = 4

    def walk(self, size: int) -> None:
        """Pass over dimensions, attributes and variables. OverflowError for a count beyond the file's size, and
        struct.error where the header ends before it should."""
        self._take(self.wide)  # records
        for _ in range(self._list(size)):
            self._text(size)
            self._take(self.wide)
        self._attributes(size)
        for _ in range(self._list(size)):
            self._text(size)
            self._pass((8 if self.wide else 4) * self._count(size, "dimensions"))
            self._attributes(size)
            self._take(False)  # type
            self._take(self.wide)  # bytes
            self._take(self.far)  # place

    def _take(self, wide: bool) -> int:
        value: int = struct.unpack_from(">Q" if wide else ">I", self.content, self.at)[0]
        self.at += 8 if wide else 4
        return value

    def _count(self, size: int, what: str) -> int:
        count = self._take(self.wide)
        if count > size:
            raise OverflowError(f"{count} {what}")
        return count

    def _list(self, size: int) -> int:
        self._take(False)  # its tag
        return self._count(size, "entries")

    def _text(self, size: int) -> None:
        self._pass(self._count(size, "characters"))

    def _attributes(self, size: int) -> None:
        for _ in range(self._list(size)):
            self._text(size)
            value = VALUE_BYTES.get(self._take(False), 1)
            self._pass(value * self._count(size, "values"))

    def _pass(self, count: int) -> None:
        """Bytes, filled up to whole words."""
        self.at += -(-count // 4) * 4

"""How much of a TIFF file its first directory needs. GDAL drops tags that it cannot read, such as CRS and names."""

import struct

FIELD_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes per value, by field type (TIFF 6.0 section 2, and BigTIFF's three)."""


def end_of_tags(path: str) -> int:
    """The offset after the last byte of the first directory's tags, without pixels; 0 for a file that is not TIFF."""
    with open(path, "rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16:
            return 0
        big = struct.unpack(order + "H", head[2:4])[0] == 43
        start: int = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])[0]
        # number of entries, then per entry: tag, field type, count, value or its offset
        number, entry, inline = ("Q", "HHQ8s", 8) if big else ("H", "HHI4s", 4)
        file.seek(start)
        count: int = struct.unpack(order + number, file.read(struct.calcsize(order + number)))[0]
        size = struct.calcsize(order + entry)
        ends = [file.tell() + count * size]
        for fields in struct.iter_unpack(order + entry, file.read(count * size)):
            length = FIELD_BYTES.get(fields[1], 1) * fields[2]
            if length > inline:
                ends.append(struct.unpack(order + ("Q" if big else "I"), fields[3])[0] + length)
    return max(ends)

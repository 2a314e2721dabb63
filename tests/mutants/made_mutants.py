"""Damaged and spoilt copies of a file's bytes, the same for the same name and number."""

import json
import random
import struct
from collections.abc import Callable
from typing import Any

NUMBERS = (0, 1, -1, 127, 128, 255, 256, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63))
NUMBER_TEXTS = (
    "0",
    "-1",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1e-320",
    "99999999999999999999",
    "0x10",
    "1,5",
    "٣",
    "",
    "--",
)
TEXTS = ("", " ", "a" * 10_000, "..", "../a", "/", "\n", "\0", "\ufeff", "ü", "\ud800", "%s", "B04", "null", "{}")
NOT_UTF8 = (b"\xff", b"\xe9t\xe9", b"\xc3\x28", b"\xed\xa0\x80", b"\xff\xfe")
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e300, 2**70, float("nan"), float("inf"), "", "x", "\ud800", [], [[]], {}, {"": None},
)  # fmt: skip
DEEP = 20_000


def mutant(content: bytes, name: str, number: int) -> bytes:
    """The bytes changed in one to eight places. Text and JSON are also changed as such."""
    rng = random.Random(f"{name}/{number}")
    changed = content
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3, 8))):
        changed = rng.choice(_ways(changed))(changed, rng)
    return changed


def _ways(content: bytes) -> list[Callable[[bytes, random.Random], bytes]]:
    raw = [_flipped, _set, _number, _cut_out, _doubled, _inserted, _ended, _emptied, _exchanged]
    if not _is_text(content):
        return raw
    # most damage of single bytes makes JSON and XML not parse at all, which is soon tried
    worded = 3 * [_number_text, _quoted, _word, _line, _not_utf8]
    parsed = 12 * [_json] if content.lstrip()[:1] in (b"{", b"[") else 3 * [_element]
    return [*raw, *worded, *parsed]


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content[:100_000].decode()
    except UnicodeDecodeError:
        return False


# -- bytes -------------------------------------------------------------------------------------------------------------


def _at(content: bytes, rng: random.Random) -> int:
    """Where: half of the time in the first 2,000 bytes, where headers are."""
    most = len(content) if rng.random() < 0.5 else min(len(content), 2000)
    return rng.randrange(max(1, most))


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    first = _at(content, rng)
    return first, min(len(content), first + rng.choice((1, 2, 4, 16, 100, 3000)))


def _with(content: bytes, at: int, other: bytes) -> bytes:
    return content[:at] + other + content[at + len(other) :]


def _flipped(content: bytes, rng: random.Random) -> bytes:
    at = _at(content, rng)
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :] if content else content


def _set(content: bytes, rng: random.Random) -> bytes:
    return _with(content, _at(content, rng), bytes([rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))]))


def _number(content: bytes, rng: random.Random) -> bytes:
    code = rng.choice("bhiq")
    value = rng.choice(NUMBERS) & (2 ** (8 * struct.calcsize("=" + code)) - 1)
    return _with(content, _at(content, rng), struct.pack(rng.choice("<>") + code.upper(), value))


def _cut_out(content: bytes, rng: random.Random) -> bytes:
    first, end = _span(content, rng)
    return content[:first] + content[end:]


def _doubled(content: bytes, rng: random.Random) -> bytes:
    first, end = _span(content, rng)
    return content[:end] + content[first:end] * rng.choice((1, 2, 50)) + content[end:]


def _inserted(content: bytes, rng: random.Random) -> bytes:
    at = _at(content, rng)
    return content[:at] + rng.randbytes(rng.choice((1, 2, 8, 40))) + content[at:]


def _ended(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _emptied(content: bytes, rng: random.Random) -> bytes:
    first, end = _span(content, rng)
    return _with(content, first, rng.choice((b"\0", b"\xff")) * (end - first))


def _exchanged(content: bytes, rng: random.Random) -> bytes:
    (a, b), (c, d) = sorted((_span(content, rng), _span(content, rng)))
    return content if b > c else content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


# -- text --------------------------------------------------------------------------------------------------------------


def _parts(text: str, kept: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Where runs of such characters are."""
    found, first = [], None
    for at, character in enumerate([*text, "\n\0"]):
        inside = len(character) == 1 and kept(character)
        if inside and first is None:
            first = at
        elif not inside and first is not None:
            found.append((first, at))
            first = None
    return found


def _put(content: bytes, rng: random.Random, kept: Callable[[str], bool], others: tuple[str, ...]) -> bytes:
    text = content.decode(errors="surrogateescape")
    places = _parts(text, kept)
    if not places:
        return content
    first, end = rng.choice(places)
    return (text[:first] + rng.choice(others) + text[end:]).encode(errors="surrogatepass")


def _number_text(content: bytes, rng: random.Random) -> bytes:
    return _put(content, rng, lambda each: each.isdigit() or each in "+-.eE", NUMBER_TEXTS)


def _word(content: bytes, rng: random.Random) -> bytes:
    words = tuple(content.decode(errors="replace").split())
    return _put(content, rng, lambda each: each.isalnum() or each == "_", (*TEXTS, *rng.choices(words or ("",), k=9)))


def _quoted(content: bytes, rng: random.Random) -> bytes:
    text = content.decode(errors="surrogateescape")
    quotes = [at for at, each in enumerate(text) if each in "\"'<>"]
    if len(quotes) < 2:
        return content
    number = rng.randrange(len(quotes) - 1)
    first, end = quotes[number] + 1, quotes[number + 1]
    return (text[:first] + rng.choice(TEXTS) + text[end:]).encode(errors="surrogatepass")


def _line(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    if rng.random() < 0.5:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines[one : one + 1] = rng.choice(
            ([], [lines[one]] * 2, [lines[one]] * 1000, [lines[one][: len(lines[one]) // 2]])
        )
    return b"\n".join(lines)


def _not_utf8(content: bytes, rng: random.Random) -> bytes:
    first, end = _span(content, rng)
    return content[:first] + rng.choice(NOT_UTF8) + content[end:]


def _element(content: bytes, rng: random.Random) -> bytes:
    """An element of XML, or what lies between two tags, gone, twice, or nested deeply."""
    starts = [at for at, each in enumerate(content) if each == ord("<")]
    if len(starts) < 2:
        return _line(content, rng)
    number = rng.randrange(len(starts) - 1)
    first, end = starts[number], starts[min(len(starts) - 1, number + rng.choice((1, 2, 2, 3)))]
    other = rng.choice((b"", content[first:end] * 2, content[first:end] * 500, b"<a>" * DEEP + b"</a>" * DEEP))
    return content[:first] + other + content[end:]


def _json(content: bytes, rng: random.Random) -> bytes:
    """One value of the document becomes another, another kind of value, goes, or is nested deeply."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _line(content, rng)
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        each = waiting.pop()
        inside = each.items() if isinstance(each, dict) else enumerate(each) if isinstance(each, list) else ()
        places += [(each, key) for key, _ in inside]
        waiting += [value for _, value in inside]
    if not places:
        return json.dumps(rng.choice(VALUES)).encode()
    holder, key = rng.choice(places)
    other, other_key = rng.choice(places)
    how = rng.randrange(12)
    if how == 0:
        del holder[key]
    elif how == 1:
        return json.dumps(holder[key]).encode()  # a part of the document for all of it
    elif how == 2:
        holder[key] = "<deep>"
        return json.dumps(document).encode().replace(b'"<deep>"', b"[" * DEEP + b"]" * DEEP)
    elif how < 5:
        holder[key] = json.loads(json.dumps(other[other_key]))
    else:
        holder[key] = rng.choice(VALUES)
    return json.dumps(document).encode()

"""Files changed at random, byte by byte or by their structure; equal seeds change equally."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

NUMBERS = (0, 1, -1, 2, 255, 65535, -(2**31), 2**31 - 1, 2**63 - 1, 10**200, 0.5, 1e308, -1e308)
NOT_FINITE = (float("nan"), float("inf"), -float("inf"))
TEXTS = ("", " ", "nan", "inf", "-1", "1e999", "a" * 5000, "\n", "\x00", "../x", "ü", "1\\2\\3")
NESTING = 3000


def truncated(content: bytes, chance: random.Random) -> bytes:
    """The end is missing, as of a copy that was cut off."""
    return content[: chance.randrange(len(content))]


def bit_flipped(content: bytes, chance: random.Random) -> bytes:
    """A few bits are others, as on a damaged disk."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def header_changed(content: bytes, chance: random.Random) -> bytes:
    """Two or four bytes of the first 600 hold an extreme number: lengths, sizes, counts."""
    changed = bytearray(content)
    size = chance.choice((2, 4))
    extreme = chance.choice(
        (0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), chance.getrandbits(16))
    )
    place = chance.randrange(max(1, min(len(changed), 600) - size))
    changed[place : place + size] = extreme.to_bytes(size, "little")
    return bytes(changed)


def piece_removed(content: bytes, chance: random.Random) -> bytes:
    """A piece is missing in the middle."""
    start = chance.randrange(len(content))
    return content[:start] + content[start + chance.randrange(1, 200) :]


def piece_doubled(content: bytes, chance: random.Random) -> bytes:
    """A piece stands there twice."""
    start = chance.randrange(len(content))
    piece = content[start : start + chance.randrange(1, 200)]
    return content[:start] + piece + content[start:]


def zeroed(content: bytes, chance: random.Random) -> bytes:
    """A block is zero, as in a file that was never written to its end."""
    start = chance.randrange(len(content))
    length = min(len(content) - start, chance.choice((16, 512, len(content))))
    return content[:start] + bytes(length) + content[start + length :]


def emptied(content: bytes, chance: random.Random) -> bytes:
    """Nothing is left, or a few bytes."""
    return content[: chance.choice((0, 0, 1, 4, 132))]


def of_another_kind(content: bytes, chance: random.Random) -> bytes:
    """The file holds what its name does not say."""
    others = (
        b"<html>Log in</html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x1f\x8b",
        b"{}",
    )
    return chance.choice(others)


BYTES: dict[str, Mutation] = {
    one.__name__: one
    for one in (
        truncated,
        bit_flipped,
        header_changed,
        piece_removed,
        piece_doubled,
        zeroed,
        emptied,
        of_another_kind,
    )
}
"""Changes to any file."""


def value_changed(value: Any, chance: random.Random) -> Any:
    """Return something that should not stand in the place of a value."""
    if isinstance(value, bool) or value is None:
        return chance.choice(("yes", 7, [], {}))
    if isinstance(value, int | float):
        return chance.choice(
            (*NUMBERS, *NOT_FINITE, -value, value * 1000, str(value), None, [value])
        )
    if isinstance(value, str):
        return chance.choice((*TEXTS, 7, None, [value], {value: value}))
    if isinstance(value, list):
        return chance.choice(([], value * 2, value[:-1], [value], None, 7, list(reversed(value))))
    return chance.choice(({}, [], None, "text", 7))


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def json_changed(content: bytes, chance: random.Random) -> bytes:
    """One value of a JSON file is another, is missing, nested, or has another name."""
    root = json.loads(content)
    holder, key = _place(root, chance)
    kind = chance.choice(("value", "value", "value", "removed", "renamed", "nested"))
    if kind == "value":
        holder[key] = value_changed(holder[key], chance)
    elif kind == "nested":
        return json.dumps(root).encode().replace(b":", b":" + b"[" * NESTING, 1)
    elif kind == "renamed" and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    else:
        del holder[key]
    return json.dumps(root).encode()


def _place(root: Any, chance: random.Random) -> tuple[Any, Any]:
    """Return a container somewhere in a value, and a key or index in it."""
    holder = root
    while True:
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = chance.choice(list(keys))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.2:
            return holder, key
        holder = inner


def line_changed(content: bytes, chance: random.Random) -> bytes:
    """A line of a text is missing, doubled, moved, or holds another value."""
    lines = content.split(b"\n")
    number = chance.randrange(len(lines))
    kind = chance.choice(("removed", "doubled", "value", "value", "value", "moved"))
    if kind == "removed":
        del lines[number]
    elif kind == "doubled":
        lines.insert(number, lines[number])
    elif kind == "moved":
        lines.insert(chance.randrange(len(lines)), lines.pop(number))
    else:
        lines[number] = _other_value(lines[number], chance)
    return b"\n".join(lines)


def _other_value(line: bytes, chance: random.Random) -> bytes:
    for sign in (b"=", b":", b" "):
        if sign in line:
            name, _, value = line.partition(sign)
            words = value.split()
            texts = [str(number).encode() for number in (*NUMBERS, *NOT_FINITE)]
            new = chance.choice([*texts, *(text.encode() for text in TEXTS)])
            if words and chance.random() < 0.5:
                words[chance.randrange(len(words))] = new
                return name + sign + b" " + b" ".join(words)
            return name + sign + b" " + new
    return line + b"x"

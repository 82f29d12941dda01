"""Files whose structure is changed while their envelope stays right: checksums, lengths, syntax."""

from __future__ import annotations

import gzip
import io
import random
import warnings
import zipfile
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
from helpers.mutations import BYTES, NUMBERS, TEXTS, Mutation, header_changed, line_changed
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

NIFTI_HEADER = 348


def inside_gzip(inner: Mutation) -> Mutation:
    """Change what a gzip file holds, and pack it again with its right checksum."""

    def changed(content: bytes, chance: random.Random) -> bytes:
        return gzip.compress(inner(gzip.decompress(content), chance), mtime=0)

    return changed


def inside_zip(content: bytes, chance: random.Random) -> bytes:
    """Change, drop, double or rename a member of a zip, and pack it again with right checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        members = [(entry.filename, packed.read(entry)) for entry in packed.infolist()]
    number = chance.randrange(len(members))
    name, inner = members[number]
    kind = chance.choice(("bytes", "bytes", "line", "dropped", "doubled", "renamed"))
    if kind == "bytes" and inner:
        members[number] = (name, chance.choice(list(BYTES.values()))(inner, chance))
    elif kind == "line":
        members[number] = (name, line_changed(inner, chance))
    elif kind == "doubled":
        members.append((name, inner))
    elif kind == "renamed":
        members[number] = (chance.choice(("../" + name, "/" + name, name + "\n", "x")), inner)
    else:
        del members[number]
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        warnings.simplefilter("ignore")  # of two members with one name
        for member, inner in members:
            packed.writestr(member, inner)
    return out.getvalue()


def nifti_header(content: bytes, chance: random.Random) -> bytes:
    """Change a field of the header of an unpacked NIfTI file: sizes, type, scale, offset, forms."""
    header = content[:NIFTI_HEADER]
    if chance.random() < 0.5:
        return header_changed(header, chance) + content[NIFTI_HEADER:]
    place = chance.randrange(40, NIFTI_HEADER - 4, 4)
    value = chance.choice((float("nan"), float("inf"), -1.0, 0.0, 1e30, 1e-30))
    return header[:place] + np.float32(value).tobytes() + content[place + 4 :]


def nrrd_header(content: bytes, chance: random.Random) -> bytes:
    """Change a line of an NRRD header."""
    header, _, voxels = content.partition(b"\n\n")
    return line_changed(header, chance) + b"\n\n" + voxels


def dicom_changed(content: bytes, chance: random.Random) -> bytes:
    """Change, empty, remove or double an element of a DICOM data set, at any depth."""
    with config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(content))
        holder, element = chance.choice(list(_elements(dataset)))
        kind = chance.choice(("value", "value", "value", "emptied", "removed", "doubled"))
        if kind == "removed":
            del holder[element.tag]
        elif kind == "emptied":
            holder[element.tag] = DataElement(element.tag, element.VR, None)
        elif kind == "doubled":
            _double(holder, element)
        else:
            _change(holder, element, chance)
        out = io.BytesIO()
        dataset.save_as(out)
        return out.getvalue()


def _elements(dataset: Dataset) -> Iterator[tuple[Dataset, DataElement]]:
    for element in dataset:
        yield dataset, element
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)


def _double(holder: Dataset, element: DataElement) -> None:
    if element.VR == "SQ":
        holder[element.tag] = DataElement(element.tag, "SQ", [*element.value, *element.value])
    elif isinstance(element.value, bytes):
        element.value = element.value * 2
    elif element.VM:
        values = list(element.value) if element.VM > 1 else [element.value]
        holder[element.tag] = DataElement(element.tag, element.VR, values * 2)


_LIMITS = {"US": (0, 2**16 - 1), "UL": (0, 2**32 - 1), "SS": (-(2**15), 2**15 - 1)}
_FLOATS = (float("nan"), float("inf"), 0.0, -1.0, 1e30, 1e-30)


def _change(holder: Dataset, element: DataElement, chance: random.Random) -> None:
    if element.VR == "SQ":
        holder[element.tag] = DataElement(element.tag, "SQ", list(element.value)[:-1])
    elif isinstance(element.value, bytes):
        half = len(element.value) // 4 * 2
        element.value = chance.choice((b"", element.value[:half], bytes(len(element.value))))
    elif element.VR in _LIMITS:
        low, high = _LIMITS[element.VR]
        element.value = chance.choice((low, low + 1, high, high // 2))
    elif element.VR in ("FL", "FD"):
        new = chance.choice(_FLOATS)
        element.value = [new] * element.VM if element.VM > 1 else new
    else:
        _change_text(holder, element, chance)


def _change_text(holder: Dataset, element: DataElement, chance: random.Random) -> None:
    numeric = element.VR in ("DS", "IS")
    new = chance.choice([str(number) for number in (*NUMBERS, "nan", "inf")] if numeric else TEXTS)
    values = list(element.value) if element.VM > 1 else [element.value]
    values[chance.randrange(len(values))] = new
    text = "\\".join(map(str, values))
    # Written as it is: pydicom would refuse to write a number that is none.
    holder[element.tag] = DataElement(element.tag, "LT" if numeric else element.VR, text)
    holder[element.tag].VR = "LO" if numeric else element.VR


def parquet_changed(content: bytes, chance: random.Random) -> bytes:
    """Change a column of a Parquet file: its type, name, values, or let rows come twice."""
    table = pq.read_table(io.BytesIO(content))
    number = chance.randrange(table.num_columns)
    name = table.column_names[number]
    kind = chance.choice(("dropped", "renamed", "nulls", "numbers", "texts", "lists", "doubled"))
    if kind == "dropped":
        table = table.drop_columns([name])
    elif kind == "renamed":
        names = [f"{one}x" if one == name else one for one in table.column_names]
        table = table.rename_columns(names)
    elif kind == "doubled":
        table = pa.concat_tables([table, table])
    else:
        rows = table.num_rows
        column = {
            "nulls": pa.nulls(rows, table.schema.field(name).type),
            "numbers": pa.array([float("nan")] * rows),
            "texts": pa.array(["../x\n"] * rows),
            "lists": pa.array([["x"]] * rows),
        }[kind]
        table = table.set_column(number, name, column)
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()

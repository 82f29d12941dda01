"""Tables as Parquet: typed, ordered, deterministic, atomic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.errors import CtaError
from cta_data.study.tables import Row, Tables, read_arrow, read_frame, table_schemas

SESSION = {"cohort": "internal", "subject": "001", "session": "1"}
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(max_size=5),
    pa.bool_(): st.booleans(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.list_(pa.string()): st.lists(st.text(max_size=3), max_size=3),
    pa.list_(pa.int64()): st.lists(st.integers(-5, 5), max_size=3),
    pa.list_(pa.float64()): st.lists(st.floats(allow_nan=False, width=32), max_size=3),
}


def rows_of(table: str) -> st.SearchStrategy[Row]:
    schema = table_schemas()[table]
    columns = {}
    for field in schema.arrow:
        value = VALUES[field.type]
        columns[field.name] = value if field.name in schema.key else st.none() | value
    return st.fixed_dictionaries(columns)


def lesion(number: int, **more: Any) -> Row:
    return SESSION | {"quality": "HAQ", "grid": "MPRAGE", "lesion_id": number} | more


def image(technique: str, **more: Any) -> Row:
    return SESSION | {"technique": technique, "contrast_phase": "late", "description": ""} | more


def as_arrow(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=table_schemas()["lesions"].arrow)


@pytest.mark.parametrize("table", sorted(table_schemas()))
def test_every_table_is_described(table: str) -> None:
    """Each column has a description, key columns exist and cannot be null, units travel along."""
    schema = table_schemas()[table]
    assert schema.row
    assert set(schema.key) <= set(schema.arrow.names)
    for field in schema.arrow:
        assert field.metadata[b"description"]
        assert field.nullable == (field.name not in schema.key)
        unit = field.metadata.get(b"unit", b"").decode()
        if field.name.endswith(("_mm", "_mm3", "_ms")):
            assert unit == field.name.rsplit("_", 1)[-1]


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from(sorted(table_schemas())))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, table: str
) -> None:
    """Every type, null and empty list comes back; the order of the input leaves no trace."""
    folder = tmp_path_factory.mktemp("manifests")
    rows = data.draw(st.lists(rows_of(table), max_size=5))
    schema = table_schemas()[table]
    unique = list({tuple(row[c] for c in schema.key): row for row in rows}.values())
    tables = Tables(folder)
    tables.upsert(table, unique)
    tables.flush()
    path = folder / f"{table}.parquet"
    if not unique:
        assert not path.exists()
        return
    written = path.read_bytes()
    reread = Tables(folder)
    assert reread.by_key(table) == tables.by_key(table)
    assert {tuple(r[c] for c in schema.key): r for r in unique} == reread.by_key(table)
    shuffled = Tables(folder)
    shuffled.replace(table, (), {()}, [])
    shuffled.upsert(table, data.draw(st.permutations(unique)))
    shuffled.flush()
    assert path.read_bytes() == written


def test_units_travel_in_the_file(tmp_path: Path) -> None:
    """Anyone who opens the Parquet file finds the unit and meaning of a column."""
    tables = Tables(tmp_path)
    tables.upsert("lesions", [lesion(1, volume_mm3=10.0)])
    tables.flush()
    field = pq.read_schema(tmp_path / "lesions.parquet").field("volume_mm3")
    assert field.metadata[b"unit"] == b"mm3"


def test_what_is_not_named_or_not_a_number_is_null(tmp_path: Path) -> None:
    """Null is the one way to say unknown; NaN, also of numpy and inside a list, becomes null."""
    tables = Tables(tmp_path)
    centroid = np.array([1.0, np.nan, 3.0])
    tables.upsert("lesions", [lesion(1, cnr=math.nan, centroid_ras_mm=centroid)])
    tables.upsert("lesions", [lesion(2, cnr=np.float64("nan"), volume_mm3=np.float32(2.5))])
    tables.flush()
    first, second = read_arrow(tmp_path, "lesions").to_pylist()
    assert first["cnr"] is None and second["cnr"] is None
    assert first["centroid_ras_mm"] == [1.0, None, 3.0]
    assert second["volume_mm3"] == 2.5
    assert read_frame(tmp_path, "lesions")["cnr"].isna().all()


def test_the_same_rows_again_change_nothing(tmp_path: Path) -> None:
    """Numpy scalars, tuples and NaN compare equal to what a file gives back."""
    row = lesion(
        1, cnr=math.nan, flags=("a",), n_voxels=np.int64(3), centroid_ras_mm=[1.0, math.nan, 2.0]
    )
    tables = Tables(tmp_path)
    tables.upsert("lesions", [row])
    assert tables.changed()
    assert [path.name for path in tables.flush()] == ["lesions.parquet"]
    assert not tables.changed()
    again = Tables(tmp_path)
    again.upsert("lesions", [row])
    assert not again.changed()
    assert again.flush() == []


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    """A misspelt column never disappears."""
    with pytest.raises(CtaError, match="lesions has no column volume_mm"):
        Tables(tmp_path).upsert("lesions", [lesion(1, volume_mm=3.0)])


def test_a_row_without_its_key_is_refused(tmp_path: Path) -> None:
    """Rows are found by their key, so no part of it may be missing."""
    row = lesion(1)
    del row["lesion_id"]
    with pytest.raises(CtaError, match=r"lesions.*lesion_id"):
        Tables(tmp_path).upsert("lesions", [row])


def test_replace_drops_the_scope_and_nothing_else(tmp_path: Path) -> None:
    """Rows in the scope go, others stay, new rows come, all in one step."""
    tables = Tables(tmp_path)
    other = lesion(1) | {"subject": "002"}
    tables.upsert("lesions", [lesion(1), lesion(2), other])
    scope = ("cohort", "subject", "session")
    tables.replace("lesions", scope, {("internal", "001", "1")}, [lesion(3)])
    assert {(r["subject"], r["lesion_id"]) for r in tables.rows("lesions")} == {
        ("001", 3),
        ("002", 1),
    }


def test_upsert_puts_a_row_in_place_of_the_one_with_its_key(tmp_path: Path) -> None:
    """Nothing of the old row remains: what the new one does not name is null."""
    tables = Tables(tmp_path)
    tables.upsert("images", [image("SPACE", model="Skyra"), image("MPRAGE", model="Skyra")])
    tables.upsert("images", [image("SPACE", manufacturer="Siemens")])
    rows = {row["technique"]: row for row in tables.rows("images")}
    assert rows["SPACE"]["model"] is None
    assert rows["SPACE"]["manufacturer"] == "Siemens"
    assert rows["MPRAGE"]["model"] == "Skyra"


def test_index_groups_every_row_once(tmp_path: Path) -> None:
    """Groups by some columns hold all rows, each in one group."""
    tables = Tables(tmp_path)
    tables.upsert("lesions", [lesion(n) for n in range(3)] + [lesion(1) | {"grid": "SPACE"}])
    groups = tables.index("lesions", ("grid",))
    assert {key: len(rows) for key, rows in groups.items()} == {("MPRAGE",): 3, ("SPACE",): 1}


def test_a_fraction_in_a_whole_number_is_refused(tmp_path: Path) -> None:
    """Nothing is rounded on the way into a table."""
    with pytest.raises(CtaError, match=r"lesions.*n_voxels is 1\.5"):
        Tables(tmp_path).upsert("lesions", [lesion(1, n_voxels=1.5)])


@pytest.mark.parametrize("value", [{"n_voxels": "many"}, {"n_voxels": 2**70}, {"volume_mm3": "x"}])
def test_a_value_that_does_not_fit_leaves_the_old_file(tmp_path: Path, value: Row) -> None:
    """A failing write says which table, leaves the file as it was and no other file behind."""
    tables = Tables(tmp_path)
    tables.upsert("lesions", [lesion(1)])
    tables.flush()
    before = (tmp_path / "lesions.parquet").read_bytes()
    tables.upsert("lesions", [lesion(2, **value)])
    with pytest.raises(CtaError, match=r"lesions\.parquet"):
        tables.flush()
    assert (tmp_path / "lesions.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["lesions.parquet"]
    assert tables.changed()


def test_a_write_that_breaks_off_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of a write costs neither the old table nor leaves half of one."""
    tables = Tables(tmp_path)
    tables.upsert("lesions", [lesion(1)])
    tables.flush()
    before = (tmp_path / "lesions.parquet").read_bytes()

    def break_off(content: pa.Table, path: Path, **options: Any) -> None:
        path.write_bytes(b"PAR1 half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", break_off)
    tables.upsert("lesions", [lesion(2)])
    with pytest.raises(OSError, match="No space"):
        tables.flush()
    assert (tmp_path / "lesions.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["lesions.parquet"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all, really not" * 9])
def test_a_damaged_file_says_how_to_restore_it(tmp_path: Path, content: bytes) -> None:
    """A truncated or foreign file is an error with a way out, not an empty table."""
    (tmp_path / "lesions.parquet").write_bytes(content)
    with pytest.raises(CtaError, match=r"lesions\.parquet.*git checkout"):
        read_arrow(tmp_path, "lesions")


def test_a_table_without_a_file_is_empty_and_typed(tmp_path: Path) -> None:
    """A new study answers queries with no rows, and no file is made by reading."""
    frame = read_frame(tmp_path, "lesions")
    assert len(frame) == 0
    assert str(frame["n_voxels"].dtype) == "Int64"
    assert list(tmp_path.iterdir()) == []


def test_columns_that_are_gone_are_left_out(tmp_path: Path) -> None:
    """A column that the schema does not have is not read."""
    more = as_arrow([lesion(1)]).append_column("gone", pa.array(["x"]))
    pq.write_table(more, tmp_path / "lesions.parquet")
    assert read_arrow(tmp_path, "lesions").schema == table_schemas()["lesions"].arrow


@pytest.mark.parametrize(
    ("column", "damaged"),
    [
        ("volume_mm3", None),
        ("volume_mm3", pa.array([["a list"]])),
        ("volume_mm3", pa.array(["text"])),
        ("lesion_id", pa.array([1.5])),
        ("lesion_id", pa.array([None], pa.int64())),
        ("cohort", pa.array([None], pa.string())),
        ("cohort", pa.array([{"x": 1}])),
        ("source_roi", pa.array([b"\xff\xfe"], pa.binary())),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_a_damaged_column_is_named(tmp_path: Path, column: str, damaged: pa.Array | None) -> None:
    """Wrong types, nulls in a key and absent columns are one error that names table and column."""
    whole = as_arrow([lesion(1)])
    at = whole.column_names.index(column)
    broken = whole.remove_column(at)
    broken = broken if damaged is None else broken.add_column(at, column, damaged)
    pq.write_table(broken, tmp_path / "lesions.parquet")
    with pytest.raises(CtaError) as caught:
        read_arrow(tmp_path, "lesions")
    assert caught.value.where.endswith("lesions.parquet") and column in caught.value.why


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Rows are known by their key: of two with one key neither is dropped in silence."""
    pq.write_table(as_arrow([lesion(1), lesion(1)]), tmp_path / "lesions.parquet")
    with pytest.raises(CtaError, match="two rows"):
        read_arrow(tmp_path, "lesions")


def test_where_the_study_lies_does_not_matter(tmp_path: Path) -> None:
    """A folder named like a partition (`cohort=x`) adds nothing to a table."""
    folder = tmp_path / "cohort=7" / "manifests"
    tables = Tables(folder)
    tables.upsert("lesions", [lesion(1)])
    tables.flush()
    assert read_arrow(folder, "lesions").to_pylist()[0]["cohort"] == "internal"


def test_frames_are_typed_even_where_values_lack(tmp_path: Path) -> None:
    """Integers with gaps stay integers and truth values stay truth values."""
    tables = Tables(tmp_path)
    tables.upsert("images", [image("CT", frame=1, skull_stripped=True), image("SPACE")])
    tables.flush()
    frame = read_frame(tmp_path, "images")
    assert (str(frame["frame"].dtype), str(frame["skull_stripped"].dtype)) == ("Int64", "boolean")
    assert str(frame["tr_ms"].dtype) == "float64"
    assert str(frame["path"].dtype).startswith("string")

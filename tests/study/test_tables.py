"""Tables as Parquet: typed, ordered, deterministic, atomic."""

from __future__ import annotations

import dataclasses
import math
import subprocess
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.refusals import has_reason
from helpers.typed_rows import typed
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.errors import CtaError
from cta_data.study.session_id import SessionId
from cta_data.study.tables import (
    ROW_TYPES,
    ImageRow,
    MeasuredLesionRow,
    TableRow,
    Tables,
    UnitRow,
    read_arrow,
    read_frame,
    table_schemas,
)
from cta_data.study.unit_id import UnitId

SESSION = SessionId("internal", "001", "1")
TYPES = {of.TABLE: of for of in ROW_TYPES}
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(max_size=5),
    pa.bool_(): st.booleans(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.list_(pa.string()): st.lists(st.text(max_size=3), max_size=3).map(tuple),
    pa.list_(pa.int64()): st.lists(st.integers(-5, 5), max_size=3).map(tuple),
    pa.list_(pa.float64()): st.lists(st.floats(allow_nan=False, width=32), max_size=3).map(tuple),
}


def rows_of(table: str) -> st.SearchStrategy[TableRow]:
    columns = {}
    for field in table_schemas()[table].arrow:
        value = VALUES[field.type]
        # A row without a cohort is about no session, and then has no other label.
        value = st.text(min_size=1, max_size=5) if field.name == "cohort" else value
        columns[field.name] = st.none() | value if field.nullable else value
    return st.fixed_dictionaries(columns).map(lambda made: typed(TYPES[table], made))


def lesion(number: int, **more: Any) -> MeasuredLesionRow:
    about = {"session": SESSION, "annotation": "HAQ", "quality": "HAQ", "grid": "MPRAGE"}
    return MeasuredLesionRow(**about | {"lesion_id": number} | more)


def image(technique: str, **more: Any) -> ImageRow:
    about = {"contrast_phase": "late", "description": "", "modality": "MR", "path": "x"}
    return ImageRow(session=SESSION, technique=technique, **about | more)


def as_arrow(rows: list[MeasuredLesionRow]) -> pa.Table:
    content = [row.columns() for row in rows]
    return pa.Table.from_pylist(content, schema=table_schemas()["lesions"].arrow)


@pytest.mark.parametrize("of", ROW_TYPES, ids=lambda of: of.TABLE)
def test_a_row_s_type_is_that_of_its_table(of: type[TableRow]) -> None:
    """Fields, their types and whether they may be None are those of the schema, in its order."""
    python = {
        **{pa.string(): str, pa.bool_(): bool, pa.int64(): int, pa.float64(): float},
        pa.list_(pa.string()): tuple[str, ...],
        pa.list_(pa.int64()): tuple[int, ...],
        pa.list_(pa.float64()): tuple[float, ...],
    }
    hints = get_type_hints(of)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(of):  # type: ignore[arg-type]
        if field.name == "session" and hints["session"] in (SessionId, SessionId | None):
            found |= dict.fromkeys(SessionId._fields, str)
        else:
            found[field.name] = hints[field.name]
    schema = table_schemas()[of.TABLE].arrow
    expected = {f.name: python[f.type] | None if f.nullable else python[f.type] for f in schema}
    assert found == expected and list(found) == schema.names
    assert of.__dataclass_params__.frozen


def test_every_table_has_a_type() -> None:
    """No table is read or written as anything else."""
    assert sorted(TYPES) == sorted(table_schemas()) and len(TYPES) == len(ROW_TYPES)


@pytest.mark.parametrize("table", sorted(table_schemas()))
def test_every_table_is_described(table: str) -> None:
    """Each column has a description, key columns exist and cannot be null, units travel along."""
    schema = table_schemas()[table]
    assert schema.row
    assert set(schema.key) <= set(schema.arrow.names)
    for field in schema.arrow:
        assert field.metadata[b"description"]
        assert field.name not in schema.key or not field.nullable
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
    of = TYPES[table]
    unique = list({tuple(map(row.column, schema.key)): row for row in rows}.values())
    tables = Tables(folder)
    tables.upsert(unique)
    tables.flush()
    path = folder / f"{table}.parquet"
    if not unique:
        assert not path.exists()
        return
    written = path.read_bytes()
    reread = Tables(folder)
    assert reread.by_key(of) == tables.by_key(of)
    assert {tuple(map(r.column, schema.key)): r for r in unique} == reread.by_key(of)
    shuffled = Tables(folder)
    shuffled.replace(of, (), {()}, [])
    shuffled.upsert(data.draw(st.permutations(unique)))
    shuffled.flush()
    assert path.read_bytes() == written


def test_units_travel_in_the_file(tmp_path: Path) -> None:
    """Anyone who opens the Parquet file finds the unit and meaning of a column."""
    tables = Tables(tmp_path)
    tables.upsert([lesion(1, volume_mm3=10.0)])
    tables.flush()
    field = pq.read_schema(tmp_path / "lesions.parquet").field("volume_mm3")
    assert field.metadata[b"unit"] == b"mm3"


def test_what_is_not_named_or_not_a_number_is_null(tmp_path: Path) -> None:
    """Null is the one way to say unknown; NaN, also of numpy and inside a list, becomes null."""
    tables = Tables(tmp_path)
    centroid = np.array([1.0, np.nan, 3.0])
    tables.upsert([lesion(1, cnr=math.nan, centroid_ras_mm=centroid)])
    tables.upsert([lesion(2, cnr=np.float64("nan"), volume_mm3=np.float32(2.5))])
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
    tables.upsert([row])
    assert tables.changed()
    assert [path.name for path in tables.flush()] == ["lesions.parquet"]
    assert not tables.changed()
    again = Tables(tmp_path)
    again.upsert([row])
    assert not again.changed()
    assert again.flush() == []


def test_a_row_without_a_value_of_its_key_is_refused(tmp_path: Path) -> None:
    """Rows are found by their key, so no part of it may be missing."""
    with pytest.raises(CtaError, check=has_reason("row_value_missing", field="lesion_id")):
        Tables(tmp_path).upsert([lesion(None)])  # type: ignore[arg-type]


def test_a_row_without_what_is_always_there_is_refused(tmp_path: Path) -> None:
    """Whoever reads a path need not ask whether there is one."""
    with pytest.raises(CtaError, check=has_reason("row_value_missing", field="path")):
        Tables(tmp_path).upsert([image("SPACE", path=None)])


def test_rows_of_two_tables_are_not_mixed(tmp_path: Path) -> None:
    """Each goes to its own table, or nowhere."""
    with pytest.raises(
        CtaError, check=has_reason("row_of_another_table", table="images", expected_table="lesions")
    ):
        Tables(tmp_path).upsert([lesion(1), image("SPACE")])  # type: ignore[list-item]


def test_replace_drops_the_scope_and_nothing_else(tmp_path: Path) -> None:
    """Rows in the scope go, others stay, new rows come, all in one step."""
    tables = Tables(tmp_path)
    other = lesion(1, session=SessionId("internal", "002", "1"))
    tables.upsert([lesion(1), lesion(2), other])
    scope = ("cohort", "subject", "session")
    tables.replace(MeasuredLesionRow, scope, {("internal", "001", "1")}, [lesion(3)])
    assert {(r.session.subject, r.lesion_id) for r in tables.rows(MeasuredLesionRow)} == {
        ("001", 3),
        ("002", 1),
    }


def test_upsert_puts_a_row_in_place_of_the_one_with_its_key(tmp_path: Path) -> None:
    """Nothing of the old row remains: what the new one does not name is null."""
    tables = Tables(tmp_path)
    tables.upsert([image("SPACE", model="Skyra"), image("MPRAGE", model="Skyra")])
    tables.upsert([image("SPACE", manufacturer="Siemens")])
    rows = {row.technique: row for row in tables.rows(ImageRow)}
    assert rows["SPACE"].model is None
    assert rows["SPACE"].manufacturer == "Siemens"
    assert rows["MPRAGE"].model == "Skyra"


def test_index_groups_every_row_once(tmp_path: Path) -> None:
    """Groups by some columns hold all rows, each in one group."""
    tables = Tables(tmp_path)
    tables.upsert([lesion(n) for n in range(3)] + [lesion(1, grid="SPACE")])
    groups = tables.index(MeasuredLesionRow, ("grid",))
    assert {key: len(rows) for key, rows in groups.items()} == {("MPRAGE",): 3, ("SPACE",): 1}


def test_a_fraction_in_a_whole_number_is_refused(tmp_path: Path) -> None:
    """Nothing is rounded on the way into a table."""
    with pytest.raises(CtaError, check=has_reason("row_value_invalid", where="lesions")):
        Tables(tmp_path).upsert([lesion(1, n_voxels=1.5)])


@pytest.mark.parametrize("value", [{"n_voxels": "many"}, {"n_voxels": 2**70}, {"volume_mm3": "x"}])
def test_a_value_that_does_not_fit_leaves_the_old_file(
    tmp_path: Path, value: dict[str, Any]
) -> None:
    """A failing write says which table, leaves the file as it was and no other file behind."""
    tables = Tables(tmp_path)
    tables.upsert([lesion(1)])
    tables.flush()
    before = (tmp_path / "lesions.parquet").read_bytes()
    tables.upsert([lesion(2, **value)])
    with pytest.raises(
        CtaError, check=has_reason("table_rows_invalid", where="manifests/lesions.parquet")
    ):
        tables.flush()
    assert (tmp_path / "lesions.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["lesions.parquet"]
    assert tables.changed()


def test_a_write_that_breaks_off_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of a write costs neither the old table nor leaves half of one."""
    tables = Tables(tmp_path)
    tables.upsert([lesion(1)])
    tables.flush()
    before = (tmp_path / "lesions.parquet").read_bytes()

    def break_off(content: pa.Table, path: Path, **options: Any) -> None:
        path.write_bytes(b"PAR1 half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", break_off)
    tables.upsert([lesion(2)])
    with pytest.raises(OSError, match="No space"):
        tables.flush()
    assert (tmp_path / "lesions.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["lesions.parquet"]


def test_a_deleted_file_is_not_an_empty_table(tmp_path: Path) -> None:
    """Whoever asks: what git has was made once. A table that was never made is empty."""
    folder = tmp_path / "manifests"
    tables = Tables(folder)
    tables.upsert([UnitRow.of(UnitId("convert", SESSION), status="ok", key="k", parameters="p")])
    [path] = tables.flush()
    for words in (("init", "-q"), ("add", ".")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    path.unlink()
    for ask in (lambda: Tables(folder).rows(UnitRow), lambda: read_frame(folder, "units")):
        with pytest.raises(CtaError, check=has_reason("table_deleted")):
            ask()
    assert Tables(folder).rows(ImageRow) == [] and read_frame(folder, "images").empty


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all, really not" * 9])
def test_a_damaged_file_says_how_to_restore_it(tmp_path: Path, content: bytes) -> None:
    """A truncated or foreign file is an error with a way out, not an empty table."""
    (tmp_path / "lesions.parquet").write_bytes(content)
    with pytest.raises(CtaError, check=has_reason("table_unreadable")):
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
        ("volume_mm3", pa.array(["1.5"])),
        ("volume_mm3", pa.array([True])),
        ("cohort", pa.array([1.5])),
        ("subject", pa.array([True])),
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


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two is right nobody knows."""
    whole = as_arrow([lesion(1)])
    doubled = whole.append_column("subject", whole.column("cohort"))
    pq.write_table(doubled, tmp_path / "lesions.parquet")
    with pytest.raises(CtaError, check=has_reason("table_columns_repeated")):
        read_arrow(tmp_path, "lesions")


def test_other_forms_of_the_same_values_are_read(tmp_path: Path) -> None:
    """Programs write text as large or dictionary-encoded, and numbers with fewer bits."""
    whole = as_arrow([lesion(1)])
    for name, kind in (
        ("cohort", pa.large_string()),
        ("subject", pa.dictionary(pa.int32(), pa.string())),
        ("lesion_id", pa.int32()),
        ("volume_mm3", pa.float32()),
        ("source_roi", pa.null()),
    ):
        at = whole.column_names.index(name)
        column = pa.nulls(1) if kind == pa.null() else whole.column(at).cast(kind)
        whole = whole.set_column(at, name, column)
    pq.write_table(whole, tmp_path / "lesions.parquet")
    assert read_arrow(tmp_path, "lesions").schema == table_schemas()["lesions"].arrow


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Rows are known by their key: of two with one key neither is dropped in silence."""
    pq.write_table(as_arrow([lesion(1), lesion(1)]), tmp_path / "lesions.parquet")
    with pytest.raises(CtaError, check=has_reason("table_key_not_unique")):
        read_arrow(tmp_path, "lesions")


def test_where_the_study_lies_does_not_matter(tmp_path: Path) -> None:
    """A folder named like a partition (`cohort=x`) adds nothing to a table."""
    folder = tmp_path / "cohort=7" / "manifests"
    tables = Tables(folder)
    tables.upsert([lesion(1)])
    tables.flush()
    assert read_arrow(folder, "lesions").to_pylist()[0]["cohort"] == "internal"


def test_frames_are_typed_even_where_values_lack(tmp_path: Path) -> None:
    """Integers with gaps stay integers and truth values stay truth values."""
    tables = Tables(tmp_path)
    tables.upsert([image("CT", frame=1, skull_stripped=True), image("SPACE")])
    tables.flush()
    frame = read_frame(tmp_path, "images")
    assert (str(frame["frame"].dtype), str(frame["skull_stripped"].dtype)) == ("Int64", "boolean")
    assert str(frame["tr_ms"].dtype) == "float64"
    assert str(frame["path"].dtype).startswith("string")


def test_columns_are_those_of_the_rows_before_and_after_a_change(tmp_path: Path) -> None:
    """As they were read, and where a row was added, changed or read anew."""
    names = ("cohort", "subject", "lesion_id", "volume_mm3", "flags")
    writer = Tables(tmp_path)
    lesions = [lesion(n, volume_mm3=n / 2) for n in (1, 2)]
    writer.upsert(lesions)
    writer.flush()
    tables = Tables(tmp_path)

    def told() -> set[tuple[Any, ...]]:
        return {(c, s, n, v) for c, s, n, v, _ in tables.columns(MeasuredLesionRow, *names)}

    assert told() == {("internal", "001", 1, 0.5), ("internal", "001", 2, 1.0)}
    tables.upsert([dataclasses.replace(lesions[0], volume_mm3=7.0)])
    assert told() == {("internal", "001", 1, 7.0), ("internal", "001", 2, 1.0)}
    tables.flush()
    assert told() == {("internal", "001", 1, 7.0), ("internal", "001", 2, 1.0)}
    assert not list(tables.columns(ImageRow, "path"))


def test_lists_are_the_same_in_any_order_of_asking(tmp_path: Path) -> None:
    """Lists of neighbouring rows are converted together: each row still has its own."""
    written = [
        UnitRow.of(
            UnitId("convert", SessionId("c", f"{number:03d}", "1")),
            key=f"k{number}",
            status="ok",
            outputs=tuple(f"{number}/{one}" for one in range(number % 4)),
        )
        for number in range(200)
    ]
    tables = Tables(tmp_path)
    tables.upsert(written)
    tables.flush()
    rows = Tables(tmp_path).by_key(UnitRow)
    for row in (*written[::7], *reversed(written), *written[64:66]):
        assert rows[row.id.key].outputs == row.outputs

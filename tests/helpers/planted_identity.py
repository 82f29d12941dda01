"""People whose identity is planted in every form in which others write it, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pydicom.dataset import Dataset

BORN = "19370219"
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
FRAME = "qzx"
"""Stands around a form that is planted, so that short ones are not found by chance."""


@dataclass(frozen=True)
class Planted:
    """What a header says of a patient, and how people write it into names of regions."""

    name: str
    number: str
    birth_date: str
    written: tuple[str, ...]

    def header(self) -> Dataset:
        """The header of the patient's objects."""
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName, dataset.PatientID = self.name, self.number
        dataset.PatientBirthDate = self.birth_date
        return dataset


def written_dates(born: str) -> tuple[str, ...]:
    """Return forms of a birth date (YYYYMMDD)."""
    day = date.fromisoformat(born)
    y, m, d = f"{day:%Y}", str(day.month), str(day.day)
    return (
        *(born, f"{day:%Y-%m-%d}", f"{day:%d.%m.%Y}", f"{d}.{m}.{y}", f"{day:%Y/%m/%d}"),
        *(f"{day:%m/%d/%Y}", f"{day:%y%m%d}", f"{day:%d%m%y}", f"{day:%d%b%Y}", f"{m}/{d}/{y[2:]}"),
        *(f"{d} {day:%B} {y}", f"{day:%b} {d}, {y}", f"{d}. {day:%B} {y[2:]}", y, f"{day:%m.%Y}"),
        *(f"{d}th of {day:%B} {y}", f"{day:%d-%b-%y}".upper(), f"{d} {m} {y}"),
        *(f"{d}-{ROMAN[day.month - 1]}-{y}", f"{d}.{ROMAN[day.month - 1]}.{y[2:]}"),
        *(f"{y}年{m}月{d}日", f"{d} lutego {y}", f"{day:%b-%y}", f"{day:%Y%m}", f"{born}120000"),
    )


PEOPLE = (
    Planted("Li^Bo", "0000815", "", ("Li", "Bo Li", "LiBo", "LI_BO", "815", "BLi", "LIB", "B. Li")),
    Planted(
        "Yamada^Taro=山田^太郎=ヤマダ^タロウ", "", "", ("山田", "山田太郎", "太郎", "ﾔﾏﾀﾞ", "TARO")
    ),
    Planted(
        "Müller-Lüdenscheidt^Zoë",
        "00-471-1234",
        "",
        (
            *("Müller", "Mueller", "Muller", "MUELLER", "Mu\u0308ller"),
            *("M ü l l e r", "M_U_L_L_E_R", "Mu\u200bller", "Mül\u00adler", "Z.Müller"),
            *("MÃ¼ller", "M?ller", "M_ller", "Mller", "M&uuml;ller", "M%C3%BCller"),
            *("Lüdenscheidt", "Luedenscheidt", "Ludenscheidt", "MullerLudenscheidt", "Zoe"),
            *("00-471-1234", "004711234", "4711234", "471-1234", "471 1234", "00_471_1234"),
        ),
    ),
    Planted("O'Neil^Sinéad", "", "", ("O'Neil", "ONeil", "O’NEIL", "O Neil", "Sinead")),
    Planted("ØSTERGAARD^ÅSE", "", "", ("Østergaard", "Oestergård", "Ostergaard", "Aase")),
)
PLANTED = (*PEOPLE, Planted("", "", BORN, written_dates(BORN)))


def framed(text: str) -> str:
    """Return a form as it is planted."""
    return f"{FRAME} {text} {FRAME}"

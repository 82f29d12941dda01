"""Names of makers, models and versions of software: what is none of them may be a name of a person.

The fields are free text in DICOM. What is passed on is made of known words and of codes with
digits; of a device that is not known, the field is left out.
"""

from __future__ import annotations

import re

_MAKERS = """
siemens healthineers healthcare shs magnetom ge general electric yms philips canon toshiba tec
mec hitachi fujifilm uih united imaging shanghai hyperfine esaote viewray accuray elekta leksell
varian brainlab raysearch laboratories mim software cleveland mirada osirix pixmeo bruker
biospin samsung neurologica shimadzu neusoft mindray synaptive tomotherapy zap surgical xoft
icad agfa carestream fonar paramed aspect imris nucletron dosisoft cms computational ohif slicer
medcom mevis plastimatch velocity dicomtools
"""
_OF_COMPANIES = """
medical systems system imaging health group corporation corp company co inc incorporated ltd
limited llc gmbh ag ab se bv nv plc kg sa spa technologies technology solutions instruments
nederland netherlands best and und international oncology usa us uk europe german germany
"""
_MODELS = """
aera allegra altea amira avanto biograph mmr cima cimax concerto espree essenza expert free
freemax freestar harmony impact investigational device lumina magnetom prisma sempra skyra sola
sonata spectra symphony symphonytim syngo terra tim dot trio triotim verio viato vida vision
somatom sensation emotion definition perspective scope confidence force drive edge flash go top
up now all open sim volume zoom naeotom alpha pro plus peak horizon signa genesis discovery
optima brivo premier architect artist pioneer voyager explorer creator victor champion hero hdx
hdxt hde hdi hds excite infinity ovation profile contour mi ste rx lightspeed vct ultra
revolution hispeed brightspeed gsi evo ct mr mri pet nuclear apex maxima frontier achieva
dstream ingenia ambition elition evolution intera gyroscan nt panorama multiva prodiva ingenuity
brilliance big bore icon iqon incisive gemini vereos spectral smartpath titan vantage galan
orian elan gracian fortian excelart atlas aquilion one prime lb cxl cx lightning alexion asteion
oasis echelon airis altaire aperto scenaria supria eclos velocity oval smart elite vento swoop
umr uct upmr leksell gammaplan gamma knife perfexion esprit multiplan precision cyberknife
accuray planning treatment eclipse aria pinnacle raystation monaco iplan elements brainlab mim
unity mridian truebeam halcyon ethos tomotherapy radixact oncentra xio focal ohif slicer osirix
scanner system fit x max star quantum upgrade rt linac as ict st hd
"""
_VERSIONS = """
syngo mr mri ct pet software release version ver rev revision build patch hotfix service pack lx
hd dv numaris vida win windows linux x64 gammaplan multiplan precision eclipse aria pinnacle
raystation monaco iplan elements brainlab mim vepro upgrade beta alpha final columbia
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MAKERS, OF_COMPANIES = _words(_MAKERS), _words(_OF_COMPANIES)
MODELS, VERSIONS = _words(_MODELS), _words(_VERSIONS)
_APART = re.compile(r"[\s_./\\()+&,:®™-]+")
_CODE = re.compile(r"[a-z]{0,4}\d{1,4}[a-z]{0,3}")
"""A short code with a digit: `450w`, `MR750`, `E11`, `7T`."""
_VERSION = re.compile(r"(?:[a-z]{0,4}\d{1,5}){1,3}[a-z]{0,3}")
MOST_DIGITS = 5
"""Of one code: more may be a patient's number."""
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}")


def maker(text: str) -> str | None:
    """Return the name of a maker, if it is a known one and nothing beside."""
    parts = _parts(text)
    known = [part in MAKERS for part in parts]
    fits = all(part in MAKERS | OF_COMPANIES or _is_short(part) for part in parts)
    return " ".join(text.split()) if any(known) and fits else None


def model(text: str) -> str | None:
    """Return the name of a model, if it is made of words of known ones and of codes."""
    parts = _parts(text)
    known = [part in MODELS for part in parts]
    fits = all(
        part in MODELS | MAKERS or _CODE.fullmatch(part) or _is_short(part) for part in parts
    )
    return " ".join(text.split()) if any(known) and fits else None


def version(text: str) -> str | None:
    r"""Return those of several versions (joined by backslashes) that are made of codes and words.

    One has a digit; a date is none.
    """
    kept = [
        value
        for value in (" ".join(one.split()) for one in text.split("\\"))
        if re.search(r"\d", value) and not _DATE.search(value) and all(map(_fits, _parts(value)))
    ]
    return " ".join(kept) or None


def _fits(part: str) -> bool:
    code = _VERSION.fullmatch(part) and len(re.findall(r"\d", part)) <= MOST_DIGITS
    return part in VERSIONS or _is_short(part) or bool(code)


def _parts(text: str) -> list[str]:
    return [part for part in _APART.split(text.casefold()) if part]


def _is_short(part: str) -> bool:
    return len(part) == 1

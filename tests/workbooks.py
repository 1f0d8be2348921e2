"""Write small workbooks (.xlsx, ECMA-376) part by part, sound ones and hostile ones."""

from __future__ import annotations

import datetime
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DAY_ZERO = datetime.datetime(1899, 12, 30)
STYLES = (
    f'<styleSheet xmlns="{NAMESPACE}"><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/>'
    "</cellXfs></styleSheet>"
)


@dataclass(frozen=True)
class Fault:
    """Stand for a cell with an error, as ``#N/A``."""

    text: str


Cell = str | int | float | bool | datetime.date | Fault | None


def letters(column: int) -> str:
    """Return the name of a column, from 0: A, B, …, Z, AA, …."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def cell(value: Cell, place: str) -> str:
    """Return a cell as XML."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, Fault):
        return f'<c r="{place}" t="e"><v>{value.text}</v></c>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    if isinstance(value, datetime.date):
        whole = isinstance(value, datetime.datetime)
        moment = (
            value
            if isinstance(value, datetime.datetime)
            else datetime.datetime.combine(value, datetime.time())
        )
        number = (moment - DAY_ZERO) / datetime.timedelta(days=1)
        return f'<c r="{place}" s="{2 if whole else 1}"><v>{number!r}</v></c>'
    return f'<c r="{place}"><v>{value!r}</v></c>'


def sheet(rows: Iterable[Sequence[Cell]], *, more: str = "") -> str:
    """Return a sheet as XML; ``more`` comes after its rows."""
    lines = (
        f'<row r="{number}">'
        + "".join(cell(value, f"{letters(column)}{number}") for column, value in enumerate(row))
        + "</row>"
        for number, row in enumerate(rows, start=1)
    )
    return f'<worksheet xmlns="{NAMESPACE}"><sheetData>{"".join(lines)}</sheetData>{more}</worksheet>'


def write(path: Path, sheets: Mapping[str, str], *, further: Mapping[str, str] | None = None) -> Path:
    """Write a workbook with these sheets, which are XML already, and further parts."""
    names = list(sheets)
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(names, start=1)
    )
    related = "".join(
        f'<Relationship Id="rId{number}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(names) + 1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{NAMESPACE}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{related}'
        f'<Relationship Id="rId99" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        **{f"xl/worksheets/sheet{number}.xml": text for number, text in enumerate(sheets.values(), start=1)},
        **(further or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path

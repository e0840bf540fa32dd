"""Made-up sets of GAR in the real format, for the tests and the benchmarks. Deterministic."""

from __future__ import annotations

import datetime as dt
import uuid
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from classifiers.gar import ROOTS

Rows = Sequence[Mapping[str, object]]
REGION_NUMBER, CITY_NUMBER, STREET_NUMBER, HOUSE_NUMBER = 1_000, 2_000, 10_000, 500_000
ALWAYS = {"UPDATEDATE": "2020-01-01", "STARTDATE": "1900-01-01", "ENDDATE": "2079-06-06"}


def gar_object(number: int, name: str, kind: str, level: int, **changes: object) -> dict[str, object]:
    """A row of ADDR_OBJ, live and without predecessors unless `changes` say otherwise."""
    made = {"ID": number * 10, "OBJECTID": number, "OBJECTGUID": uuid.UUID(int=number), "CHANGEID": 1, "NAME": name}
    made |= {"TYPENAME": kind, "LEVEL": level, "OPERTYPEID": 1, "PREVID": 0, "NEXTID": 0, **ALWAYS}
    return made | {"ISACTUAL": 1, "ISACTIVE": 1} | changes


def gar_house(number: int, name: str, **changes: object) -> dict[str, object]:
    """A row of HOUSES likewise."""
    made = {"ID": number * 10, "OBJECTID": number, "OBJECTGUID": uuid.UUID(int=number), "CHANGEID": 1, "HOUSENUM": name}
    return made | {"HOUSETYPE": 2, "PREVID": 0, "NEXTID": 0, **ALWAYS, "ISACTUAL": 1, "ISACTIVE": 1} | changes


def gar_edge(path: str, region: str, **changes: object) -> dict[str, object]:
    """A row of ADM_HIERARCHY."""
    number = int(path.rpartition(".")[2])
    made = {"ID": number * 10 + 1, "OBJECTID": number, "CHANGEID": 1, "REGIONCODE": region, "PREVID": 0, "NEXTID": 0}
    return made | ALWAYS | {"ISACTIVE": 1, "PATH": path} | changes


def gar_parameter(number: int, kind: int, value: str, **changes: object) -> dict[str, object]:
    """A row of ADDR_OBJ_PARAMS or HOUSES_PARAMS."""
    made = {
        "ID": number * 100 + kind,
        "OBJECTID": number,
        "CHANGEID": 1,
        "CHANGEIDEND": 0,
        "TYPEID": kind,
        "VALUE": value,
    }
    return made | ALWAYS | changes


def sample_region(region: str, streets: int = 5, houses: int = 2) -> dict[str, list[dict[str, object]]]:
    """One region with a city, its streets and their houses: kind -> rows."""
    city = f"{REGION_NUMBER}.{CITY_NUMBER}"
    made: dict[str, list[dict[str, object]]] = {
        "ADDR_OBJ": [
            gar_object(REGION_NUMBER, f"Образцовая-{int(region)}", "обл", 1),
            gar_object(CITY_NUMBER, "Первоград", "г", 5),
        ],
        "ADM_HIERARCHY": [gar_edge(str(REGION_NUMBER), region), gar_edge(city, region)],
        "ADDR_OBJ_PARAMS": [
            gar_parameter(CITY_NUMBER, 5, f"{region}0000"),
            gar_parameter(CITY_NUMBER, 7, f"{region}700000"),
        ],
        "HOUSES": [],
        "HOUSES_PARAMS": [],
    }
    for n in range(streets):
        street = STREET_NUMBER + n
        made["ADDR_OBJ"].append(gar_object(street, f"Улочная {n + 1}-я", "ул", 8))
        made["ADM_HIERARCHY"].append(gar_edge(f"{city}.{street}", region))
        made["ADDR_OBJ_PARAMS"].append(gar_parameter(street, 10, f"{region}000001000{n + 1:04d}00"))
        for h in range(houses):
            house = HOUSE_NUMBER + n * houses + h
            made["HOUSES"].append(gar_house(house, str(h + 1)))
            made["ADM_HIERARCHY"].append(gar_edge(f"{city}.{street}.{house}", region))
            made["HOUSES_PARAMS"].append(gar_parameter(house, 5, f"{region}{h:04d}"))
    return made


def write_gar(
    path: Path, regions: Mapping[str, Mapping[str, Rows]], day: dt.date, extra: Mapping[str, Rows] | None = None
) -> None:
    """A set: a zip when the name ends in .zip, else a folder. `extra`: dictionaries of the root."""
    files = {
        f"{region}/{gar_name(kind, day)}": gar_xml(kind, rows)
        for region, kinds in regions.items()
        for kind, rows in kinds.items()
    }
    files |= {gar_name(kind, day): gar_xml(kind, rows) for kind, rows in (extra or {}).items()}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def gar_name(kind: str, day: dt.date) -> str:
    """The name of a file of a kind."""
    return f"AS_{kind}_{day:%Y%m%d}_{uuid.UUID(int=day.toordinal())}.XML"


def gar_xml(kind: str, rows: Iterable[Mapping[str, object]]) -> bytes:
    """A file's content."""
    root, tag = ROOTS[kind]
    body = "".join(f"<{tag} {' '.join(f'{k}={quoteattr(str(v))}' for k, v in row.items())}/>" for row in rows)
    written = (
        f'<?xml version="1.0" encoding="utf-8"?><{root}>{body}</{root}>'
        if body
        else f'<?xml version="1.0" encoding="utf-8"?><{root}/>'
    )
    return b"\xef\xbb\xbf" + written.encode()

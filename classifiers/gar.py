"""GAR, the state address register of the tax service (ГАР БД ФИАС): its files and what is taken of them.

Root: dictionaries and `version.txt`; folders 01..99: regions. Files `AS_<KIND>_<YYYYMMDD>_<guid>.XML`, UTF-8, flat: one root, rows without
children, everything in attributes. Source: schemas of the tax service 4.01 (AS_*_2_251_*_04_01_01.xsd) and its description of the export.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

SOURCE = "gar"
FILE_NAME = re.compile(r"AS_([A-Z_]+?)_(\d{8})_[0-9a-f-]{36}\.xml", re.IGNORECASE)
REGION_FOLDER = re.compile(r"\d\d")
FOREVER = dt.date(2079, 6, 6)

ROOTS: Mapping[str, tuple[str, str]] = {
    "ADDR_OBJ": ("ADDRESSOBJECTS", "OBJECT"),
    "ADM_HIERARCHY": ("ITEMS", "ITEM"),
    "ADDR_OBJ_PARAMS": ("PARAMS", "PARAM"),
    "HOUSES": ("HOUSES", "HOUSE"),
    "HOUSES_PARAMS": ("PARAMS", "PARAM"),
    "ADDR_OBJ_TYPES": ("ADDRESSOBJECTTYPES", "ADDRESSOBJECTTYPE"),
    "HOUSE_TYPES": ("HOUSETYPES", "HOUSETYPE"),
    "ADDHOUSE_TYPES": ("HOUSETYPES", "HOUSETYPE"),
}
"""The kinds that are read: root element and row."""
REGIONAL = ("ADDR_OBJ", "ADM_HIERARCHY", "ADDR_OBJ_PARAMS", "HOUSES", "HOUSES_PARAMS")
NOT_LOADED = ("STEADS", "APARTMENTS", "ROOMS", "CARPLACES")
"""Kinds of addresses below and beside houses, for which the registers have no place."""
HOUSE_KINDS = ("HOUSES", "HOUSES_PARAMS")

TAX_OFFICE, POSTCODE, OKATO, OKTMO, KLADR_CODE = "1", "5", "6", "7", "10"
PARAMETERS = (TAX_OFFICE, POSTCODE, OKATO, OKTMO, KLADR_CODE)
"""Types of parameters that are taken: IFNSFL, PostIndex, OKATO, OKTMO, CODE."""
REGION_LEVEL, SETTLEMENT_LEVEL, STREET_LEVEL = 1, 6, 8
GONE = "99"
"""Actuality of an object that a delta took away; as in KLADR."""

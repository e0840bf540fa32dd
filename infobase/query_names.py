"""Refusals of queries, with the nearest known names, and the words of the query language in both languages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from infobase.errors import QueryInvalid
from infobase.i18n import Bilingual

VIRTUAL_TABLES = {
    "slicelast": "SliceLast",
    "срезпоследних": "SliceLast",
    "slicefirst": "SliceFirst",
    "срезпервых": "SliceFirst",
    "balance": "Balance",
    "остатки": "Balance",
    "turnovers": "Turnovers",
    "обороты": "Turnovers",
    "balanceandturnovers": "BalanceAndTurnovers",
    "остаткииобороты": "BalanceAndTurnovers",
}
PARAMETERS = {
    "period": "period",
    "период": "period",
    "start": "start",
    "начало": "start",
    "началопериода": "start",
    "end": "end",
    "конец": "end",
    "конецпериода": "end",
    "periodicity": "periodicity",
    "периодичность": "periodicity",
    "condition": "condition",
    "условие": "condition",
}
PERIODICITIES = {
    "": "",
    "period": "",
    "период": "",
    "day": "Day",
    "день": "Day",
    "week": "Week",
    "неделя": "Week",
    "month": "Month",
    "месяц": "Month",
    "quarter": "Quarter",
    "квартал": "Quarter",
    "year": "Year",
    "год": "Year",
    "recorder": "Recorder",
    "регистратор": "Recorder",
    "record": "Record",
    "запись": "Record",
}
AGGREGATES = {
    "sum": "Sum",
    "сумма": "Sum",
    "count": "Count",
    "количество": "Count",
    "min": "Min",
    "минимум": "Min",
    "max": "Max",
    "максимум": "Max",
    "avg": "Avg",
    "среднее": "Avg",
}
DISTINCT = ("distinct", "различные")
PRESENTATION = ("presentation", "представление")
REF = ("ref", "ссылка")
"""Words of the language, case-folded -> canonical."""

FIGURES = {
    "Balance": ("Balance", "Остаток"),
    "Turnover": ("Turnover", "Оборот"),
    "Receipt": ("Receipt", "Приход"),
    "Expense": ("Expense", "Расход"),
    "OpeningBalance": ("OpeningBalance", "НачальныйОстаток"),
    "ClosingBalance": ("ClosingBalance", "КонечныйОстаток"),
}
"""What virtual tables add to a resource's name, in English and Russian."""

SHOWN = 120


def invalid(ru: str, en: str) -> QueryInvalid:
    """The refusal in both languages, chosen when it is shown."""
    return QueryInvalid(detail=Bilingual(ru, en))


def shown(value: object) -> str:
    """A value as a message can hold it: bounded and printable."""
    made = value if isinstance(value, str) else repr(value)
    made = made if made.isprintable() else ascii(made)
    return made if len(made) <= SHOWN else made[: SHOWN - 1] + "…"


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The up to three known names that look like `name`, as a list in words; "" when none does."""
    known = {c.casefold(): c for c in candidates}
    found = difflib.get_close_matches(name[:SHOWN].casefold(), known, n=3, cutoff=0.6)
    return ", ".join(known[f] for f in found)


def unknown(ru: str, en: str, name: str, candidates: Iterable[str]) -> QueryInvalid:
    """«нет <ru> «name»; возможно: ...»."""
    close = nearest(name, candidates)
    hint_ru = f"; возможно: {close}" if close else ""
    hint_en = f"; did you mean: {close}" if close else ""
    return invalid(f"{ru} «{shown(name)}» нет{hint_ru}", f"no {en} {shown(name)!r}{hint_en}")


def word(words: Mapping[str, str], given: object, ru: str, en: str) -> str:
    """The canonical form of a word of the language. QueryInvalid when it is not one."""
    if isinstance(given, str):
        found = words.get(given.casefold())
        if found is not None:
            return found
    raise unknown(ru, en, given if isinstance(given, str) else repr(given), words)

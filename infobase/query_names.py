"""Refusals of queries, with the nearest known names, and the words of the query language in both languages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from infobase.errors import QueryInvalid
from infobase.i18n import Bilingual


class Words:
    """Words of the language in both languages, found without regard to case."""

    def __init__(self, *rows: tuple[str, ...]) -> None:
        """Each row: the canonical word, then everything that means it, as it is written."""
        self.written = [w for row in rows for w in row[1:] if w]
        self._canonical = {w.casefold(): row[0] for row in rows for w in row[1:]}

    def find(self, given: object) -> str | None:
        """The canonical word; None when it is not one."""
        return self._canonical.get(given.casefold()) if isinstance(given, str) else None


VIRTUAL_TABLES = Words(
    ("SliceLast", "SliceLast", "СрезПоследних"),
    ("SliceFirst", "SliceFirst", "СрезПервых"),
    ("Balance", "Balance", "Остатки"),
    ("Turnovers", "Turnovers", "Обороты"),
    ("BalanceAndTurnovers", "BalanceAndTurnovers", "ОстаткиИОбороты"),
)
PARAMETERS = Words(
    ("period", "period", "Период"),
    ("start", "start", "Начало", "НачалоПериода"),
    ("end", "end", "Конец", "КонецПериода"),
    ("periodicity", "periodicity", "Периодичность"),
    ("condition", "condition", "Условие"),
)
PERIODICITIES = Words(
    ("", "", "Period", "Период"),
    ("Day", "Day", "День"),
    ("Week", "Week", "Неделя"),
    ("Month", "Month", "Месяц"),
    ("Quarter", "Quarter", "Квартал"),
    ("Year", "Year", "Год"),
    ("Recorder", "Recorder", "Регистратор"),
    ("Record", "Record", "Запись"),
)
AGGREGATES = Words(
    ("Sum", "Sum", "Сумма"),
    ("Count", "Count", "Количество"),
    ("Min", "Min", "Минимум"),
    ("Max", "Max", "Максимум"),
    ("Avg", "Avg", "Среднее"),
)
DISTINCT = ("distinct", "различные")
PRESENTATION = ("presentation", "представление")
REF = ("ref", "ссылка")
"""Words compared case-folded."""

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


def word(words: Words, given: object, ru: str, en: str) -> str:
    """The canonical form of a word of the language. QueryInvalid when it is not one."""
    found = words.find(given)
    if found is None:
        raise unknown(ru, en, given if isinstance(given, str) else repr(given), words.written)
    return found

"""Made-up sets of KLADR's tables in the real format, small for the demo and the tests, of any size for the benchmarks. Deterministic.

Names follow what real ones look like: a few hundred names of streets make up half of them, the rest are rare; two in ten have two words.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifiers.dbf_write import write_dbf

FIELDS = {
    "KLADR": {"NAME": 40, "SOCR": 10, "CODE": 13, "INDEX": 6, "GNINMB": 4, "UNO": 4, "OCATD": 11, "STATUS": 1},
    "STREET": {"NAME": 40, "SOCR": 10, "CODE": 17, "INDEX": 6, "GNINMB": 4, "UNO": 4, "OCATD": 11},
    "DOMA": {"NAME": 40, "KORP": 10, "SOCR": 10, "CODE": 19, "INDEX": 6, "GNINMB": 4, "UNO": 4, "OCATD": 11},
    "SOCRBASE": {"LEVEL": 5, "SCNAME": 10, "SOCRNAME": 29, "KOD_T_ST": 3},
    "ALTNAMES": {"OLDCODE": 19, "NEWCODE": 19, "LEVEL": 1},
}
DAY = dt.date(2024, 8, 14)
TYPES = (
    ("1", "Респ", "Республика", "106"),
    ("1", "обл", "Область", "105"),
    ("1", "край", "Край", "104"),
    ("1", "г", "Город", "103"),
    ("2", "р-н", "Район", "201"),
    ("2", "п", "Поселение", "202"),
    ("3", "г", "Город", "301"),
    ("4", "п", "Поселок", "401"),
    ("4", "с", "Село", "402"),
    ("4", "д", "Деревня", "403"),
    ("4", "х", "Хутор", "404"),
    ("5", "ул", "Улица", "529"),
    ("5", "пр-кт", "Проспект", "521"),
    ("5", "пер", "Переулок", "515"),
    ("5", "наб", "Набережная", "513"),
    ("5", "пл", "Площадь", "516"),
)
_BEGINNINGS = (
    "Абр", "Бел", "Берез", "Вас", "Верх", "Вишн", "Волж", "Гор", "Дальн", "Дмитр", "Дубр", "Ефр", "Жур", "Завод", "Зар", "Зел",
    "Иван", "Кал", "Кам", "Кир", "Красн", "Куз", "Лен", "Лес", "Луг", "Мал", "Мир", "Мос", "Нов", "Окт", "Ольх", "Пав", "Перв",
    "Петр", "Пол", "Приозер", "Пуш", "Реч", "Ром", "Сад", "Север", "Сол", "Стар", "Степ", "Строит", "Твер", "Тих", "Троиц", "Ул",
    "Урал", "Фёд", "Хлеб", "Цвет", "Чап", "Чех", "Шах", "Школь", "Щорс", "Юбил", "Яблон", "Ям", "Яснополян",
)  # fmt: skip
_MIDDLES = (
    "",
    "ов",
    "ин",
    "н",
    "овн",
    "ск",
    "енк",
    "ар",
    "ист",
    "ев",
    "ел",
    "ищ",
    "ор",
    "ат",
    "ик",
    "уш",
    "ер",
    "ень",
    "ач",
    "яг",
)
_ENDINGS = ("ая", "ский", "ова", "ина", "ое", "ого", "ый", "ной", "ы", "а", "ская", "ево", "ка", "овка", "инский")
_FIRST = (
    "Большая",
    "Малая",
    "Верхняя",
    "Нижняя",
    "Новая",
    "Старая",
    "Маршала",
    "Генерала",
    "Академика",
    "1-я",
    "2-я",
    "3-я",
    "8",
    "40",
    "50 лет",
)
_REGIONS = ("Речная обл", "Степная обл", "Лесной край", "Озёрная Респ", "Полевая обл", "Горный край", "Новоград г")
COMMON = 300


@dataclass(frozen=True)
class Size:
    """Of one region."""

    districts: int = 2
    cities: int = 2
    settlements: int = 4
    streets: int = 60
    houses_per_street: int = 2


def write_sample_kladr(
    folder: Path,
    regions: Sequence[str],
    size: Size = Size(),
    day: dt.date = DAY,
    seed: int = 1,  # noqa: B008
) -> dict[str, int]:
    """The tables of these regions (two digits each) in `folder`; records by table. The bytes depend on the arguments only."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"SOCRBASE": write_dbf(folder / "SOCRBASE.DBF", FIELDS["SOCRBASE"], TYPES, day)}
    makers = {"KLADR": _places, "STREET": _streets, "DOMA": _houses, "ALTNAMES": _successors}
    for table, make in makers.items():
        if table == "DOMA" and not size.houses_per_street:
            continue
        rows = (row for region in regions for row in make(region, size, random.Random(f"{seed}{table}{region}")))
        counts[table] = write_dbf(folder / f"{table}.DBF", FIELDS[table], rows, day)
    return counts


def street_name(rng: random.Random) -> str:
    """A name; half of all draws come from the COMMON first ones."""
    pool = len(_BEGINNINGS) * len(_MIDDLES) * len(_ENDINGS)
    index = rng.randrange(COMMON) * 59 % pool if rng.random() < 0.5 else rng.randrange(pool)
    index, beginning = divmod(index, len(_BEGINNINGS))
    ending, middle = divmod(index, len(_MIDDLES))
    name = _BEGINNINGS[beginning] + _MIDDLES[middle] + _ENDINGS[ending]
    return f"{rng.choice(_FIRST)} {name}" if rng.random() < 0.2 else name


def region_name(region: str) -> tuple[str, str]:
    """(name, kind) of a sample region."""
    number = int(region)
    name, kind = _REGIONS[number % len(_REGIONS)].split()
    return (f"{name}-{number}" if number > len(_REGIONS) else name), kind


def _place_codes(region: str, size: Size) -> list[str]:
    """Eleven digits of everything that may have streets: cities of the region, then settlements of its districts."""
    cities = [f"{region}000{n:03d}000" for n in range(1, size.cities + 1)]
    settlements = [
        f"{region}{n % size.districts + 1:03d}000{n // size.districts + 1:03d}" for n in range(size.settlements)
    ]
    return cities + sorted(settlements)


def _places(region: str, size: Size, rng: random.Random) -> Iterator[tuple[str, ...]]:
    def row(name: str, kind: str, code: str, actuality: str = "00", status: str = "0") -> tuple[str, ...]:
        postcode = f"{int(region):03d}{int(code[5:11]) % 1000:03d}" if code[5:] != "000000" else ""
        return (name, kind, code + actuality, postcode, f"{region}00", "", f"{region}4{code[2:11]}"[:11], status)

    name, kind = region_name(region)
    yield row(name, kind, f"{region}000000000")
    for n in range(1, size.districts + 1):
        yield row(f"{street_name(rng).split()[-1]}", "р-н", f"{region}{n:03d}000000")
    for index, code in enumerate(_place_codes(region, size)):
        city = code[2:5] == "000"
        place = "Майский" if index == 0 else street_name(rng).split()[-1]
        yield row(place, "г" if city else rng.choice(("п", "с", "д", "х")), code, status="2" if index == 0 else "0")
    yield row("Старое", "с", f"{region}001000999", "99")
    yield row("Прежний", "г", f"{region}000001000", "01")


def _streets(region: str, size: Size, rng: random.Random) -> Iterator[tuple[str, ...]]:
    places = _place_codes(region, size)
    weights = [4 if code[2:5] == "000" else 1 for code in places]
    total, done = sum(weights), 0
    for code, weight in zip(places, weights, strict=True):
        count = size.streets * weight // total if code != places[-1] else size.streets - done
        done += count
        for n in range(1, count + 1):
            kind = rng.choices(("ул", "пер", "пр-кт", "наб", "пл"), (80, 14, 3, 2, 1))[0]
            number = f"{(n - 1) % 9999 + 1:04d}"
            postcode = f"{int(region):03d}{int(code[5:11]) % 1000:03d}"
            name = "Ленина" if n == 1 else street_name(rng)
            yield (name, kind, f"{code}{number}00", postcode, f"{region}00", "0105", f"{region}4{code[2:11]}"[:11])


def _houses(region: str, size: Size, rng: random.Random) -> Iterator[tuple[str, ...]]:
    for street in _streets(region, size, random.Random(0)):
        for n in range(1, size.houses_per_street + 1):
            start = 30 * n
            listed = rng.choice(
                (f"Н({start + 1}-{start + 19})", f"Ч({start}-{start + 20})", f"{start},{start + 1}а,{start + 2}к1")
            )
            listed = "1,2,5-11,влд12,Ч(14-20)" if n == 1 else listed
            postcode = f"{int(street[3]) + 1:06d}" if n == 2 else ""
            yield (listed, "", "ДОМ", f"{street[2][:15]}{n:04d}", postcode, street[4], street[5], street[6])


def _successors(region: str, size: Size, _rng: random.Random) -> Iterator[tuple[str, ...]]:
    yield (f"{region}00100099900", _place_codes(region, size)[0] + "00", "4")

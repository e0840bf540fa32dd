"""Small valid files in the real formats, made up but with right keys, for the demo and the tests. Deterministic; no real bank is named."""

from __future__ import annotations

import datetime as dt
import random
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

from classifiers.account_key import cbr_prefix, with_key

MAX_BANKS = 500
"""More would give two participants one BIC."""

_REGIONS = (
    ("45", "25", "г", "Москва", "101000"),
    ("40", "30", "г", "Санкт-Петербург", "190000"),
    ("65", "77", "г", "Екатеринбург", "620000"),
    ("50", "04", "г", "Новосибирск", "630000"),
    ("92", "05", "г", "Казань", "420000"),
    ("22", "02", "г", "Нижний Новгород", "603000"),
)
"""Rgn, BIC[5..6] of the Bank of Russia's division, town type, town, postcode."""
_STEMS = (
    "Северный",
    "Речной",
    "Купеческий",
    "Торговый",
    "Промышленный",
    "Уральский",
    "Земский",
    "Морской",
    "Ладожский",
    "Заречный",
    "Степной",
    "Береговой",
)
_FORMS = ("АО", "ООО", "ПАО")
_STREETS = ("ул Ленина", "пр-кт Мира", "ул Садовая", "наб Речная", "ул Банковская")


@dataclass(frozen=True, slots=True)
class SampleBank:
    """Attributes of one participant as they stand in the file; children as (tag, attributes) pairs."""

    bic: str
    info: dict[str, str]
    children: list[tuple[str, dict[str, str]]] = field(default_factory=list)


def write_small_ed807(
    path: Path, banks: int = 40, seed: int = 20260101, business_day: dt.date = dt.date(2026, 1, 12), version: int = 1
) -> list[SampleBank]:
    """Write a directory of `banks` participants to `path`: a zip as the Bank of Russia publishes it, or the bare XML when the name ends in .xml.
    The bytes depend on the arguments only. Returns what was written."""
    made = sample_banks(banks, seed)
    write_ed807(path, made, business_day, version)
    return made


def write_ed807(path: Path, banks: list[SampleBank], business_day: dt.date, version: int = 1) -> None:
    """Write these participants, windows-1251, one line, as the real file."""
    body = ed807_xml(banks, business_day, version).encode("windows-1251")
    if path.suffix.lower() == ".xml":
        path.write_bytes(body)
        return
    member = zipfile.ZipInfo(f"{business_day:%Y%m%d}_ED807_full.xml", (1980, 1, 1, 0, 0, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, body)


def ed807_xml(banks: list[SampleBank], business_day: dt.date, version: int = 1) -> str:
    """The document's text, with the declaration of windows-1251."""
    day_before = business_day - dt.timedelta(days=1)
    root = {
        "xmlns": "urn:cbr-ru:ed:v2.0",
        "EDNo": "700000001",
        "EDDate": day_before.isoformat(),
        "EDAuthor": "4583001999",
        "CreationReason": "FCBD",
        "CreationDateTime": f"{day_before.isoformat()}T18:00:00Z",
        "InfoTypeCode": "FIRR",
        "BusinessDay": business_day.isoformat(),
        "DirectoryVersion": str(version),
    }
    return '<?xml version="1.0" encoding="Windows-1251"?>' + _element("ED807", root, "".join(_entry(b) for b in banks))


def sample_banks(count: int, seed: int) -> list[SampleBank]:
    """`count` (at most 500) participants: of every ten one cash centre and one Treasury body, the rest banks of six regions."""
    if not 1 <= count <= MAX_BANKS:
        raise ValueError(f"count={count}: 1..{MAX_BANKS}")
    rng = random.Random(seed)
    made: list[SampleBank] = []
    for index in range(count):
        region = _REGIONS[index % len(_REGIONS)]
        match index % 10:
            case 0:
                made.append(_cash_centre(index, region))
            case 1:
                made.append(_treasury(index, region))
            case _:
                made.append(_bank(index, region, rng))
    return made


def renamed(bank: SampleBank, name: str) -> SampleBank:
    """The same participant under another name."""
    return replace(bank, info={**bank.info, "NameP": name})


def _info(index: int, region: tuple[str, ...], name: str, kind: str) -> dict[str, str]:
    rgn, _, town_type, town, postcode = region
    street = _STREETS[index % len(_STREETS)]
    return {
        "NameP": name,
        "Rgn": rgn,
        "Ind": postcode,
        "Tnp": town_type,
        "Nnp": town,
        "Adr": f"{street}, {index + 1}",
        "DateIn": (dt.date(1994, 1, 20) + dt.timedelta(days=97 * index)).isoformat(),
        "PtType": kind,
        "Srvcs": "3",
        "XchType": "1",
        "UID": f"{4500000000 + index}",
        "ParticipantStatus": "PSAC",
    }


def _cash_centre(index: int, region: tuple[str, ...]) -> SampleBank:
    return SampleBank(
        f"04{region[0]}{region[1]}{index:03d}", _info(index, region, f"РКЦ {region[3].upper()}-{index}", "10")
    )


def _treasury(index: int, region: tuple[str, ...]) -> SampleBank:
    bic = f"01{region[0]}{region[1]}{index:03d}"
    keeper = f"02{region[0]}{region[1]}901"
    accounts = [_account(f"40102810545370000{index:03d}", "UTRA", keeper)]
    accounts += [_account(f"40116810000000010{n:03d}", "TRSA", keeper) for n in range(3)]
    return SampleBank(bic, {**_info(index, region, f"УФК № {index} (образец)", "52"), "CntrCd": "RU"}, accounts)


def _bank(index: int, region: tuple[str, ...], rng: random.Random) -> SampleBank:
    last = f"{500 + index:03d}"
    bic = f"04{region[0]}{region[1]}{last}"
    name = f'{rng.choice(_FORMS)} БАНК "{rng.choice(_STEMS).upper()}-{index}"'
    info = {
        **_info(index, region, name, "20"),
        "CntrCd": "RU",
        "RegN": str(1000 + index),
        "EnglName": f"SAMPLE BANK {index}",
    }
    children = [_account(f"30101810000000000{last}", "CRSA", f"04{region[0]}{region[1]}000")]
    if rng.random() < 0.5:
        children.insert(0, ("SWBICS", {"SWBIC": f"SMPLRUMM{index:03d}", "DefaultSWBIC": "1"}))
    return SampleBank(bic, info, children)


def _account(number: str, kind: str, keeper: str) -> tuple[str, dict[str, str]]:
    attributes = {
        "Account": with_key(cbr_prefix(keeper), number),
        "RegulationAccountType": kind,
        "CK": "99",
        "AccountCBRBIC": keeper,
        "DateIn": "2013-01-09",
        "AccountStatus": "ACAC",
    }
    return "Accounts", attributes


def _entry(bank: SampleBank) -> str:
    inside = _element("ParticipantInfo", bank.info) + "".join(
        _element(tag, attributes) for tag, attributes in bank.children
    )
    return _element("BICDirectoryEntry", {"BIC": bank.bic}, inside)


def _element(tag: str, attributes: dict[str, str], inside: str = "") -> str:
    shown = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<{tag}{shown}>{inside}</{tag}>" if inside else f"<{tag}{shown}/>"

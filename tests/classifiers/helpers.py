"""Reading a source without a base, and small files in the published forms."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from classifiers.kind import ClassifierFile, Item
from classifiers.kinds import KINDS
from classifiers.recognise import find_format, find_kind_of
from classifiers.source import open_source
from infobase.errors import ClassifierAmbiguous, ClassifierInvalid, ClassifierUnknown

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "classifiers"
needs_real = pytest.mark.skipif(not REAL.exists(), reason="the real files are not here (../shared/data)")


def read(kind: str, path: Path) -> tuple[ClassifierFile, list[Item]]:
    """Everything a source holds of a kind."""
    with open_source(path) as source:
        form, members = find_format(KINDS[kind], source)
        file = form.open(members, {})
        return file, list(file.items())


def kind_of(path: Path) -> str:
    with open_source(path) as source:
        return find_kind_of(list(KINDS.values()), source).name


def refusal(kind: str, path: Path) -> str:
    """The message of the refusal, in both languages."""
    with pytest.raises((ClassifierInvalid, ClassifierUnknown, ClassifierAmbiguous)) as caught:
        read(kind, path)
    detail = caught.value.fields["detail"]
    return f"{caught.value.fields['place']}: {detail.ru} | {detail.en}"  # type: ignore[attr-defined]


def put(folder: Path, name: str, body: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body if isinstance(body, bytes) else body.encode(encoding))
    return path


def zipped(path: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


OKOF_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- xdtoДанныеКлассификатора и время выгрузки: 12.03.2024 10:00:00 -->
<classifier xmlns="urn:uuid:be515360-d4a7-11dc-8abf-0002a5d5c51b" xmlns:amg="urn:uuid:8b884f00-d548-11dc-9a6c-0002a5d5c51b"
 xmlns:xdto="http://v8.1c.ru/8.1/xdto" xmlns:xs="http://www.w3.org/2001/XMLSchema" classifier-type-id="#ОКОФ">
<legal-ref xmlns="urn:uuid:4c9a8080-e11c-11dc-a7e6-0002a5d5c51b"><issued-by>Росстандарт</issued-by><issue-date>2023-11-01</issue-date>
<in-effect-from>2024-01-01</in-effect-from></legal-ref>
<additional-packages><xdto:package targetNamespace="urn:uuid:8b884f00-d548-11dc-9a6c-0002a5d5c51b">
<xdto:property name="АмортизационныеГруппы" type="amg:AmortGroupRefType" localName="amort-group"/></xdto:package></additional-packages>
<data item-count="9">
<group code="ОК 013-2014     " chk-digit="0"><desc>Принят и введен в действие</desc>
 <group code="100.00.00.00    " chk-digit="0"><desc>ЖИЛЫЕ ЗДАНИЯ
   И ПОМЕЩЕНИЯ</desc><amg:amort-group group-no="10"><amg:note>жилища</amg:note></amg:amort-group>
  <group code="100.00.10.00    " chk-digit="0"><desc>Здания жилые общего назначения</desc></group>
 </group>
 <group code="310.00.00.00    " chk-digit="0"><desc>МАШИНЫ И ОБОРУДОВАНИЕ</desc>
  <amg:amort-group group-no="3"/><amg:amort-group group-no="5"><amg:note>тяжелые</amg:note></amg:amort-group></group>
</group>
<group code="ОК 013-94" chk-digit="0"><desc>Утвержден Постановлением</desc>
 <group code="10 0000000" chk-digit="1"><desc>Материальные фонды</desc></group>
</group>
</data></classifier>
"""

ENAOF_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<classifier xmlns="urn:uuid:be515360-d4a7-11dc-8abf-0002a5d5c51b" xmlns:enf="urn:uuid:11111111-d548-11dc-9a6c-0002a5d5c51b"
 xmlns:xdto="http://v8.1c.ru/8.1/xdto" classifier-type-id="#ЕНАОФ">
<additional-packages><xdto:package targetNamespace="urn:uuid:11111111-d548-11dc-9a6c-0002a5d5c51b">
<xdto:property name="НормаАмортизационныхОтчислений" localName="n"/>
<xdto:property name="ПроцентОтСтоимостиМашины" localName="p"/></xdto:package></additional-packages>
<data item-count="3">
<group code="1"><desc>Здания</desc>
 <group code="10001"><desc>Здания многоэтажные</desc><enf:n>1,0</enf:n></group>
 <group code="50400" enf:n="14.3" enf:p="0.37"><desc>Автомобили легковые</desc><enf:kept>как есть</enf:kept></group>
</group></data></classifier>
"""

CALENDAR_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<calendar year="2024" lang="ru" date="2023.09.01" country="ru">
<holidays><holiday id="1" title="Новогодние каникулы"/><holiday id="2" title="День защитника Отечества"/></holidays>
<days><day d="01.01" t="1" h="1"/><day d="01.02" t="1" h="1"/><day d="02.22" t="2"/><day d="02.23" t="1" h="2"/>
<day d="04.27" t="3"/><day d="04.29" t="1" f="04.27"/></days></calendar>
"""

RATES_XML = """\
<?xml version="1.0" encoding="windows-1251"?><ValCurs Date="15.03.2024" name="Foreign Currency Market"><Valute ID="R01010"><NumCode>036</NumCode>\
<CharCode>AUD</CharCode><Nominal>1</Nominal><Name>Австралийский доллар</Name><Value>60,1234</Value><VunitRate>60,1234</VunitRate></Valute>\
<Valute ID="R01235"><NumCode>840</NumCode><CharCode>USD</CharCode><Nominal>1</Nominal><Name>Доллар США</Name><Value>91,6359</Value></Valute>\
<Valute ID="R01820"><NumCode>392</NumCode><CharCode>JPY</CharCode><Nominal>100</Nominal><Name>Японских иен</Name><Value>61,5</Value></Valute></ValCurs>"""

OKVED_CSV = (
    '"A";" ";"СЕЛЬСКОЕ, ЛЕСНОЕ ХОЗЯЙСТВО"\r\n"A";"01";"Растениеводство и животноводство"\r\n"A";"01.1";"Выращивание однолетних культур"\r\n'
    '"A";"01.11";"Выращивание зерновых ""(кроме риса)"""\r\n"A";"01.11.1";"Выращивание зерновых культур"\r\n'
    '"A";"01.11.11";"Выращивание пшеницы"\r\n"C";" ";"ОБРАБАТЫВАЮЩИЕ ПРОИЗВОДСТВА"\r\n"C";"10";"Производство пищевых продуктов"\r\n'
)

OKSM_CSV = (
    "1,004,АФГАНИСТАН,Переходное Исламское Государство Афганистан,AF,AFG\n2,008,АЛБАНИЯ,Республика Албания,AL,ALB\n"
    "3,010,АНТАРКТИДА,,AQ,ATA\n21,068,БОЛИВИЯ, МНОГОНАЦИОНАЛЬНОЕ ГОСУДАРСТВО,Многонациональное Государство Боливия,BO,BOL\n"
    "22,663,СЕН-МАРТЕН (французская часть)\n,,MF,MAF\n"
)

OKEI_XML = """\
<OKEI><Section Name="Международные единицы измерения"><Group Name="Единицы длины">
<Uom Code="003" Name="Миллиметр" SymbolRu="мм" SymbolEn="mm" AlphaRu="ММ" AlphaEn="MMT"/>
<Uom Code="005" Name="Дециметр&#x9;" SymbolRu="дм" SymbolEn="dm" AlphaRu="ДМ" AlphaEn="DMT"/></Group></Section>
<Section Name="Четырехзначные"><Group Name="Прочее"><Uom Code="9991" Name="Миллимоль на литр" SymbolRu="ммоль/л" SymbolEn="" AlphaRu="ММОЛЬ/Л" AlphaEn=""/>
</Group></Section></OKEI>
"""

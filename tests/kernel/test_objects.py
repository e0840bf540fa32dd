"""Catalogs and documents through the façade, the same on every engine."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infobase.errors import (
    NotUnique,
    NumberOverflow,
    ObjectNotFound,
    ObjectReferenced,
    OperationForbidden,
    PeriodLocked,
    ReferenceBroken,
    RequiredFieldsEmpty,
    TransactionFailed,
    UnknownObject,
    ValueInvalid,
    VersionConflict,
)
from infobase.metadata.types import EnumValue, Ref
from infobase.session import Session
from tests.bases import Place


def test_both_languages_name_the_same_things(session: Session) -> None:
    item = session.catalogs["Партнеры"].new(Наименование="Ромашка", ИНН="7707083893")
    item.write()
    again = session.catalogs.Partners.get(item.ref)
    assert (again.Description, again.Наименование, again.INN) == ("Ромашка", "Ромашка", "7707083893")
    assert session.catalogs.partners.find(ИНН="7707083893") == item.ref


def test_an_unknown_name_is_refused_with_what_there_is(session: Session) -> None:
    with pytest.raises(UnknownObject) as e:
        session.catalogs.Partners.new(Colour="red")
    assert "INN" in str(e.value)
    with pytest.raises(UnknownObject):
        _ = session.catalogs.Nobody


def test_codes_follow_each_other_and_typed_ones_lift_the_counter(session: Session) -> None:
    manager = session.catalogs.Partners
    made = [manager.new(Description=str(n)) for n in range(3)]
    for item in made:
        item.write()
    assert [m.Code for m in made] == ["000001", "000002", "000003"]
    manager.new(Description="by hand", Code="000777").write()
    nxt = manager.new(Description="next")
    nxt.write()
    assert nxt.Code == "000778"


def test_a_code_is_unique_and_the_error_names_it(session: Session) -> None:
    session.catalogs.Partners.new(Description="a", Code="X1").write()
    with pytest.raises(NotUnique) as e:
        session.catalogs.Partners.new(Description="b", Code="X1").write()
    assert "X1" in str(e.value)


def test_codes_within_an_owner(session: Session) -> None:
    owners = [session.catalogs.Partners.new(Description=d) for d in "ab"]
    for o in owners:
        o.write()
        session.catalogs.Contracts.new(Description="c", Code="1", Owner=o).write()
    with pytest.raises(NotUnique):
        session.catalogs.Contracts.new(Description="d", Code="1", Owner=owners[0]).write()
    with pytest.raises(RequiredFieldsEmpty):
        session.catalogs.Contracts.new(Description="d", Code="2").write()


def test_numbers_restart_each_year_and_carry_the_prefix(session: Session) -> None:
    session.settings.set("number_prefix", "ИБ-")
    partner = session.catalogs.Partners.new(Description="p")
    partner.write()
    numbers = []
    for year in (2025, 2025, 2026):
        order = session.documents.Order.new(Date=dt.datetime(year, 3, 1), Partner=partner)
        order.write()
        numbers.append(order.Number)
    assert numbers == ["ИБ-000001", "ИБ-000002", "ИБ-000001"]


def test_a_prefix_changed_by_another_is_seen_at_once(place: Place) -> None:
    place.create()
    place.open_to_many()
    with place.session() as ours, place.session() as theirs:
        partner = ours.catalogs.Partners.new(Description="p")
        partner.write()

        def number() -> object:
            order = ours.documents.Order.new(Date=dt.datetime(2026, 3, 1), Partner=partner)
            order.write()
            return order.Number

        assert number() == "000000001"
        theirs.settings.set("number_prefix", "ИБ-")
        assert [number(), number()] == ["ИБ-000001", "ИБ-000002"]
        theirs.settings.set("number_prefix", "")
        assert number() == "000000002", "the number tried under the old prefix went back"


def test_a_prefix_set_in_the_transaction_holds_in_it(session: Session) -> None:
    partner = session.catalogs.Partners.new(Description="p")
    partner.write()
    with pytest.raises(KeyError), session.transaction():
        session.settings.set("number_prefix", "ИБ-")
        order = session.documents.Order.new(Date=dt.datetime(2026, 3, 1), Partner=partner)
        order.write()
        assert order.Number == "ИБ-000001"
        raise KeyError
    order = session.documents.Order.new(Date=dt.datetime(2026, 3, 1), Partner=partner)
    order.write()
    assert order.Number == "000000001"


def test_numeric_numbers(session: Session) -> None:
    memos = [session.documents.Memo.new(About=str(n)) for n in range(2)]
    for m in memos:
        m.write()
    assert [m.Number for m in memos] == [Decimal(1), Decimal(2)]


def test_numbers_are_unique_under_concurrency(place: Place) -> None:
    place.create()
    place.open_to_many()
    taken: list[str] = []

    def work() -> None:
        with place.session() as own:
            for n in range(5):
                item = own.catalogs.Goods.new(Description=str(n))
                item.write()
                taken.append(str(item.Code))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(taken) == 20 and len(set(taken)) == 20


def test_the_second_writer_of_one_version_is_refused(session: Session) -> None:
    item = session.catalogs.Partners.new(Description="v")
    item.write()
    other = session.catalogs.Partners.get(item.ref)
    item.Description = "first"
    item.write()
    other.Description = "second"
    with pytest.raises(VersionConflict):
        other.write()
    assert session.catalogs.Partners.get(item.ref).Description == "first"


def test_required_fields_and_rows(session: Session) -> None:
    order = session.documents.Order.new()
    order.Goods.add(Quantity=1)
    with pytest.raises(RequiredFieldsEmpty) as e:
        order.write()
    assert "Партнер" in str(e.value) or "Partner" in str(e.value)
    assert "Goods[1]" in str(e.value)


def test_a_reference_to_nothing_is_refused_with_the_field(session: Session) -> None:
    ghost = Ref("Catalog.Regions", uuid.uuid4())
    with pytest.raises(ReferenceBroken) as e:
        session.catalogs.Partners.new(Description="x", Region=ghost).write()
    assert "Region" in str(e.value)
    with pytest.raises(ReferenceBroken):
        session.catalogs.Partners.new(Description="x", Subject=ghost).write()


def test_a_reference_of_another_type_is_refused_at_assignment(session: Session) -> None:
    good = session.catalogs.Goods.new(Description="x")
    good.write()
    with pytest.raises(ValueInvalid):
        session.catalogs.Partners.new(Region=good.ref)


def test_hierarchy_takes_folders_only_and_no_cycles(session: Session) -> None:
    partners = session.catalogs.Partners
    folder, item = partners.new_folder(Description="f"), partners.new(Description="i")
    folder.write()
    item.Parent = folder
    item.write()
    with pytest.raises(OperationForbidden):
        partners.new(Description="under an item", Parent=item).write()
    inner = partners.new_folder(Description="inner", Parent=folder)
    inner.write()
    folder.Parent = inner
    with pytest.raises(OperationForbidden):
        folder.write()
    regions = session.catalogs.Regions
    moscow = regions.get(regions.predefined("Москва"))
    moscow.Parent = moscow
    with pytest.raises(OperationForbidden):
        moscow.write()


def test_predefined_items_exist_and_stay(session: Session) -> None:
    regions = session.catalogs.Regions
    tver = regions.get(regions.predefined("Tver"))
    assert (tver.Code, tver.Description) == ("069", "Тверь")
    assert tver.Parent == regions.predefined("Center")
    with pytest.raises(OperationForbidden):
        tver.delete()
    with pytest.raises(OperationForbidden):
        tver.set_deletion_mark()


def test_a_referenced_object_is_not_deleted(session: Session) -> None:
    region = session.catalogs.Regions.new(Description="r", Code="100")
    region.write()
    partner = session.catalogs.Partners.new(Description="Держатель", Region=region)
    partner.write()
    with pytest.raises(ObjectReferenced) as e:
        region.delete()
    assert "Держатель" in str(e.value)
    partner.Region = None
    partner.write()
    region.delete()
    with pytest.raises(ObjectNotFound):
        session.catalogs.Regions.get(region.ref)


def test_constants_count_as_references(session: Session) -> None:
    region = session.catalogs.Regions.new(Description="r", Code="100")
    region.write()
    session.constants.HomeRegion = region
    assert session.constants.СвойРегион == region.ref
    with pytest.raises(ObjectReferenced):
        region.delete()


def test_delete_marked_keeps_what_is_used_and_takes_rings(session: Session) -> None:
    partner = session.catalogs.Partners.new(Description="p")
    partner.write()
    contract = session.catalogs.Contracts.new(Description="c", Code="1", Owner=partner)
    contract.write()
    used = session.catalogs.Goods.new(Description="used")
    used.write()
    receipt = session.documents.Receipt.new()
    receipt.Goods.add(Item=used, Quantity=1)
    receipt.post()
    for o in (partner, contract, used):
        o.set_deletion_mark()
    report = session.delete_marked()
    assert report.deleted == 2
    assert [k.ref for k in report.kept] == [used.ref]
    with pytest.raises(ObjectNotFound):
        session.catalogs.Partners.get(partner.ref)


def test_a_failed_transaction_gives_objects_their_state_back(session: Session) -> None:
    item = session.catalogs.Goods.new(Description="x")
    with pytest.raises(RuntimeError), session.transaction():
        item.write()
        raise RuntimeError
    assert item.is_new
    with pytest.raises(ObjectNotFound):
        session.catalogs.Goods.get(item.ref)
    item.write()
    assert session.catalogs.Goods.get(item.ref).Description == "x"


def test_tabular_sections_are_replaced_whole(session: Session) -> None:
    partner = session.catalogs.Partners.new(Description="p")
    for n in range(3):
        partner.Телефоны.add(Number=f"+7 {n}")
    partner.write()
    again = session.catalogs.Partners.get(partner.ref)
    assert [(r.LineNumber, r.Номер) for r in again.Phones] == [(1, "+7 0"), (2, "+7 1"), (3, "+7 2")]
    again.Phones.remove(0)
    again.Phones.add(Number="last")
    again.write()
    assert [(r.LineNumber, r.Number) for r in session.catalogs.Partners.get(partner.ref).Phones] == [
        (1, "+7 1"),
        (2, "+7 2"),
        (3, "last"),
    ]


def test_the_closed_period_refuses_every_change(session: Session) -> None:
    partner = session.catalogs.Partners.new(Description="p")
    partner.write()
    order = session.documents.Order.new(Date=dt.datetime(2026, 1, 31, 23, 59, 59), Partner=partner)
    order.write()
    session.set_period_lock(dt.date(2026, 1, 31))
    for act in (order.write, order.post, order.set_deletion_mark, order.delete):
        with pytest.raises(PeriodLocked):
            act()
    order.Date = dt.datetime(2026, 2, 1)
    with pytest.raises(PeriodLocked):
        order.write()
    session.documents.Order.new(Date=dt.datetime(2026, 2, 1), Partner=partner).write()
    session.set_period_lock(None)
    order.write()


def test_numbers_too_long_or_too_fine_are_refused(session: Session) -> None:
    partner = session.catalogs.Partners.new(Description="p")
    with pytest.raises(NumberOverflow):
        partner.Limit = Decimal("12345678901234567.00")
    with pytest.raises(ValueInvalid):
        partner.Limit = Decimal("0.001")
    with pytest.raises(ValueInvalid):
        partner.Limit = 1.5
    for bad in (Decimal("NaN"), Decimal("Infinity")):
        with pytest.raises((NumberOverflow, ValueInvalid)):
            partner.Limit = bad


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100)
_MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 31)).map(lambda d: d.replace(microsecond=0))
_SUBJECT = st.one_of(
    st.none(),
    _TEXT,
    st.decimals(Decimal("-99999999.99"), Decimal("99999999.99"), places=2),
    _MOMENTS,
    st.booleans(),
    st.just(EnumValue("Enumeration.PartnerKinds", "Supplier")),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.fixed_dictionaries(
        {
            "Description": _TEXT,
            "Limit": st.decimals(Decimal(-(10**16) + 1), Decimal(10**16 - 1), places=2),
            "Since": st.none() | _MOMENTS,
            "Active": st.booleans(),
            "External": st.none() | st.uuids(),
            "Logo": st.binary(max_size=2000),
            "Kind": st.sampled_from([None, EnumValue("Enumeration.PartnerKinds", "Buyer")]),
            "Subject": _SUBJECT,
        }
    )
)
def test_every_value_comes_back_as_it_was(session: Session, values: dict[str, object]) -> None:
    item = session.catalogs.Partners.new(**values)
    item.write()
    again = session.catalogs.Partners.get(item.ref)
    assert {name: again[name] for name in values} == values
    assert type(again.Subject) is type(values["Subject"])
    found = session.catalogs.Partners.find(Ref=item.ref, Description=values["Description"], Limit=values["Limit"])
    assert found == item.ref


def test_items_of_a_bulk_write_refer_to_later_ones(session: Session) -> None:
    """More than one message of a remote session, the first item under the last; and a reference to nothing loads nothing."""
    refs = [Ref("Catalog.Regions", uuid.uuid4()) for _ in range(2100)]
    codes = ["".join(c) for c in product("bcdfghjklmnpqr", repeat=3)]
    rows = [({"Ref": r, "Code": codes[n], "Parent": refs[-1]}, {}) for n, r in enumerate(refs[:-1])]
    last = ({"Ref": refs[-1], "Code": "zzz", "Description": "last"}, {})
    assert session.bulk_write("Catalog.Regions", [*rows, last]) == 2100
    assert session.catalogs.Regions.get(refs[0]).Parent == refs[-1]
    nowhere = {"Code": "yyy", "Parent": Ref("Catalog.Regions", uuid.uuid4())}
    more = [nowhere, *({"Code": code.upper()} for code in codes[:1100])]
    with pytest.raises(ReferenceBroken):
        session.bulk_write("Catalog.Regions", [(values, {}) for values in more])
    assert session.catalogs.Regions.find_by_code("BBC") is None
    with pytest.raises(OperationForbidden):
        session.bulk_write("Document.Receipt", [({}, {})])


def test_a_bulk_write_that_broke_off_is_never_committed(session: Session) -> None:
    """The caller swallows its error and goes on: the transaction around it is refused all the same, whatever the error was."""

    def breaks_off() -> Iterator[tuple[dict[str, object], dict[str, object]]]:
        yield {"Code": "ddd", "Description": "ещё"}, {}
        raise RuntimeError("the source broke off")

    nowhere = {"Code": "bbb", "Parent": Ref("Catalog.Regions", uuid.uuid4())}
    filler = [({"Code": f"{n:03}"}, {}) for n in range(600, 700)]
    loads: list[tuple[type[Exception], Iterable[tuple[dict[str, object], dict[str, object]]]]] = [
        (ReferenceBroken, [(nowhere, {})]),
        (ValueInvalid, [({"Code": "ccc"}, {}), ({"Code": "x" * 500}, {})]),
        (RuntimeError, breaks_off()),
    ]
    for error, rows in loads:
        with pytest.raises(TransactionFailed), session.transaction():
            session.catalogs.Regions.new(Code="aaa").write()
            with pytest.raises(error):
                session.bulk_write("Catalog.Regions", rows)
        with pytest.raises(TransactionFailed), session.transaction():
            with pytest.raises(UnknownObject):
                session.bulk_write("Catalog.NoSuch", filler)
            session.catalogs.Regions.new(Code="aaa").write()
        assert {str(r.Code) for r in session.catalogs.Regions.select()} == {"001", "069", "077"}
    session.catalogs.Regions.new(Code="aaa").write()


def test_bulk_write(session: Session) -> None:
    rows = [({"Code": f"B{n:05}", "Description": f"b{n}"}, {"Phones": [{"Number": str(n)}]}) for n in range(300)]
    assert session.bulk_write("Catalog.Partners", rows) == 300
    ref = session.catalogs.Partners.find_by_code("B00007")
    assert ref is not None
    assert [p.Number for p in session.catalogs.Partners.get(ref).Phones] == ["7"]
    with pytest.raises(NotUnique):
        session.bulk_write("Catalog.Partners", rows[:1])

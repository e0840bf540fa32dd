"""What a user without rights can see and do: nothing, through whatever door of the session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infobase.errors import AccessDenied
from infobase.metadata.types import Ref
from infobase.query_model import Compare, Condition, OrderItem, Query, SelectItem
from infobase.session import Session
from infobase.storage import LogFilter
from tests.rights.conftest import Office


def fill(office: Office) -> dict[str, Ref]:
    """Two partners of different managers, an order of each."""
    made: dict[str, Ref] = {}
    with office.admin() as session:
        goods = session.catalogs.Goods.new(Description="Гвоздь")
        goods.write()
        made["goods"] = goods.ref
        for name, manager, inn in (("Свой", "Аня", "7700000001"), ("Чужой", "Боря", "7700000002")):
            partner = session.catalogs.Partners.new(Description=name, Manager=manager, INN=inn)
            partner.write()
            order = session.documents.Order.new(Partner=partner, Comment=name)
            order.Goods.add(Item=goods, Quantity=0)
            order.write()
            made[name], made[f"order {name}"] = partner.ref, order.ref
    return made


def ask(session: Session, source: str, *fields: str, where: Condition | None = None) -> list[dict[str, object]]:
    items = tuple(SelectItem(f, f"f{n}") for n, f in enumerate(fields))
    return list(session.query(Query(source, select=items, where=where, order_by=(OrderItem(fields[0]),))))


def test_a_list_holds_only_what_may_be_seen(office: Office) -> None:
    fill(office)
    with office.clerk() as session:
        assert [r["f0"] for r in ask(session, "Catalog.Partners", "Description")] == ["Свой"]
        assert [r["f0"] for r in ask(session, "Catalog.Partners", "Count(*)")] == [1]


def test_a_hidden_object_is_neither_read_nor_changed(office: Office) -> None:
    made = fill(office)
    with office.clerk() as session:
        with pytest.raises(AccessDenied):
            session.load([made["Чужой"]])
        own = session.catalogs.Partners.get(made["Свой"])
        own.Manager = "Боря"
        with pytest.raises(AccessDenied):
            own.write()
        with pytest.raises(AccessDenied):
            session.catalogs.Partners.new(Description="x", Manager="Боря").write()
        with pytest.raises(AccessDenied):
            session.catalogs.Partners.get(made["Свой"]).delete()


@pytest.mark.parametrize(
    "use",
    [
        lambda s: ask(s, "Document.Order", "Comment", "Partner.INN"),
        lambda s: ask(s, "Document.Order.Goods", "LineNumber", "Ref.Partner.INN"),
    ],
    ids=["document", "section"],
)
def test_fields_of_hidden_objects_are_empty_through_references(
    office: Office, use: Callable[[Session], list[dict[str, object]]]
) -> None:
    fill(office)
    with office.clerk() as session:
        assert sorted(str(r["f1"]) for r in use(session)) == ["", "7700000001"]
    with office.admin() as session:
        assert sorted(str(r["f1"]) for r in use(session)) == ["7700000001", "7700000002"]


def test_hidden_values_cannot_be_guessed_by_filters_groups_or_order(office: Office) -> None:
    fill(office)
    with office.clerk() as session:
        guess = Compare("Partner.INN", "=", "7700000002")
        assert ask(session, "Document.Order", "Comment", where=guess) == []
        grouped = session.query(
            Query(
                "Document.Order",
                select=(SelectItem("Max(Partner.INN)", "most"),),
                where=Compare("Comment", "=", "Чужой"),
            )
        )
        assert [r["most"] for r in grouped] == [""]
        keys = session.query(
            Query("Document.Order", select=(SelectItem("Partner.INN", "inn"),), group_by=("Partner.INN",))
        )
        assert sorted(str(r["inn"]) for r in keys) == ["", "7700000001"]


def test_presentations_of_hidden_objects_are_hidden(office: Office) -> None:
    made = fill(office)
    with office.clerk() as session:
        shown = ask(session, "Document.Order", "Comment", "Partner.Presentation")
        assert [(r["f0"], r["f1"]) for r in shown] == [("Свой", "Свой"), ("Чужой", "")]
        assert session.presentation(made["Свой"]) == "Свой"
        assert session.presentation(made["Чужой"]) != "Чужой"


def test_without_the_right_itself_every_door_is_closed(office: Office) -> None:
    made = fill(office)
    doors: list[Callable[[Session], object]] = [
        lambda s: ask(s, "Catalog.Regions", "Description"),
        lambda s: ask(s, "Catalog.Partners", "Region.Description"),
        lambda s: ask(s, "AccumulationRegister.Stock.Balance", "Quantity"),
        lambda s: ask(s, "AccumulationRegister.Sales", "Amount"),
        lambda s: s.catalogs.Goods.new(Description="x").write(),
        lambda s: s.documents.Order.get(made["order Свой"]).post(),
        lambda s: s.documents.Order.get(made["order Свой"]).delete(),
        lambda s: s.documents.Order.get(made["order Свой"]).set_deletion_mark(True),
        lambda s: s.set_period_lock(None),
        lambda s: s.delete_marked(),
        lambda s: s.bulk_write("Catalog.Partners", [({"Code": "000099", "Description": "x", "Manager": "Аня"}, {})]),
        lambda s: setattr(s.constants, "CompanyName", "x"),
    ]
    with office.clerk() as session:
        for n, door in enumerate(doors):
            with pytest.raises(AccessDenied):
                door(session)
                pytest.fail(f"door {n} stood open")


def test_service_fields_are_not_written_by_users(office: Office) -> None:
    made = fill(office)
    with office.clerk() as session:
        order = session.documents.Order.get(made["order Свой"])
        for field in ("Posted", "DataVersion", "Ref"):
            with pytest.raises(Exception):  # noqa: B017 - the class depends on the field; what matters is that nothing is written
                setattr(order, field, True)
                order.write()
    with office.admin() as session:
        assert session.documents.Order.get(made["order Свой"]).Posted is False


def test_every_refusal_is_in_the_event_log(office: Office) -> None:
    fill(office)
    with office.clerk() as session:
        with pytest.raises(AccessDenied):
            ask(session, "Catalog.Regions", "Description")
        with pytest.raises(AccessDenied):
            session.catalogs.Partners.new(Description="x", Manager="Боря").write()
        ask(session, "Document.Order", "Comment", "Partner.Presentation")
    with office.admin() as session:
        log = session.kernel.engine.event_log()
        denied = list(log.read(LogFilter(events=["_$Access$_.AccessDenied"])))
        assert [(e.user, e.severity) for e in denied] == [("Аня", "Error")] * 2
        assert "Регионы" in denied[0].comment or "Regions" in denied[0].comment

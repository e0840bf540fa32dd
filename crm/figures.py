"""Figures of the CRM registers as plain rows for printing and comparing: the funnel, balances, totals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from infobase.i18n import language
from infobase.metadata.types import Ref
from infobase.query_model import OrderItem, Query, SelectItem

if TYPE_CHECKING:
    from infobase.metadata.types import Value
    from infobase.session import Session


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """One stage: what entered, passed on and was lost in the period (counts), and what stands on it at its end."""

    pipeline: str
    stage: str
    probability: Decimal
    entered: Decimal
    passed: Decimal
    lost: Decimal
    in_progress: Decimal
    amount: Decimal
    weighted: Decimal

    @property
    def conversion(self) -> Decimal | None:
        """Passed in percent of passed and lost, one decimal; None when nothing has left the stage."""
        left = self.passed + self.lost
        return (self.passed * 100 / left).quantize(Decimal("0.1")) if left else None


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """One key of one register: labels of register and resource, presentations of the key, the balance."""

    register: str
    key: tuple[str, ...]
    values: Mapping[str, Decimal]


BALANCES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Stock", ("Warehouse", "Product")),
    ("Settlements", ("Customer",)),
    ("InvoicesToPay", ("Customer",)),
    ("OrdersToShip", ("Product",)),
    ("DealsInProgress", ("Manager",)),
    ("Cash", ("Organization", "BankAccount")),
)
"""What `balances` shows: register, dimensions."""


def funnel(session: Session, at: dt.datetime, start: dt.datetime | None = None) -> list[FunnelRow]:
    """Stages in the order of their pipelines: turnovers from `start` (None: the beginning) to before `at`, balance before `at`."""
    end = at - dt.timedelta(seconds=1)
    turned = _by_stage(session.accumulation_registers.Funnel.turnovers(start, end, group_by=("Stage",)))
    stand = _by_stage(session.accumulation_registers.DealsInProgress.balance(at, group_by=("Stage",)))
    fields = ("Ref", "Description", "Owner", "Order", "Probability")
    order = (OrderItem("Owner.Code"), OrderItem("Order"), OrderItem("Code"))
    stages = session.query(Query("Catalog.Stages", select=tuple(SelectItem(f) for f in fields), order_by=order))
    rows = []
    for stage in stages:
        ref = cast(Ref, stage["Ref"])
        moved, now = turned.get(ref, {}), stand.get(ref, {})
        made = FunnelRow(
            pipeline=session.presentation(stage["Owner"]),
            stage=cast(str, stage["Description"]),
            probability=cast(Decimal, stage["Probability"]),
            entered=_number(moved, "EnteredTurnover"),
            passed=_number(moved, "PassedTurnover"),
            lost=_number(moved, "LostTurnover"),
            in_progress=_number(now, "CountBalance"),
            amount=_number(now, "AmountBalance"),
            weighted=_number(now, "WeightedBalance"),
        )
        rows.append(made)
    return rows


def balances(session: Session, at: dt.datetime | None = None) -> list[BalanceRow]:
    """Balances before `at` (None: now) of the registers in BALANCES, zero keys left out, sorted by presentation."""
    rows: list[BalanceRow] = []
    for name, dimensions in BALANCES:
        manager = session.accumulation_registers[name]
        label = manager.meta.naming.label(language())
        resources = {r.name: r.naming.label(language()) for r in manager.meta.resources}
        made = []
        for found in manager.balance(at, group_by=dimensions):
            values = {shown: _number(found, f"{resource}Balance") for resource, shown in resources.items()}
            if any(values.values()):
                made.append(BalanceRow(label, tuple(session.presentation(found[d]) for d in dimensions), values))
        rows += sorted(made, key=lambda r: r.key)
    return rows


def totals(session: Session, at: dt.datetime | None = None) -> dict[str, Decimal]:
    """Grand totals of every accumulation register: "<Register>.<Resource>" -> balance before `at`, or turnover of all time before it."""
    made: dict[str, Decimal] = {}
    for register in session.kernel.configuration.accumulation_registers:
        manager = session.accumulation_registers[register.name]
        if register.has_balance:
            found, suffix = manager.balance(at), "Balance"
        else:
            found, suffix = manager.turnovers(None, at - dt.timedelta(seconds=1) if at else None), "Turnover"
        for resource in register.resources:
            made[f"{register.name}.{resource.name}"] = sum(
                (_number(row, resource.name + suffix) for row in found), Decimal(0)
            )
    return made


def _by_stage(rows: Sequence[Mapping[str, Value]]) -> dict[Ref, Mapping[str, Value]]:
    return {cast(Ref, row["Stage"]): row for row in rows}


def _number(row: Mapping[str, Value], name: str) -> Decimal:
    return cast(Decimal, row.get(name, Decimal(0)))

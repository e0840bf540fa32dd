"""What became of an address code: live, renamed, re-subordinated, gone, and its successor («адрес устарел»)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from classifiers import kladr
from classifiers.address_codes import is_path
from classifiers.address_picker import AddressHit, AddressPicker, address_targets
from classifiers.address_store import REGISTER
from infobase.session import Session

State = Literal["live", "renamed", "resubordinated", "gone", "unknown"]
MAX_STEPS = 20
"""Successors followed from one to the next."""


@dataclass(frozen=True, slots=True)
class AddressState:
    """`address`: the object itself, None when the base does not know the code. `successor`: the live object to take instead, if there is one;
    `successor_code` is known even when its region is not loaded."""

    code: str
    state: State
    address: AddressHit | None = None
    successor_code: str = ""
    successor: AddressHit | None = None


def address_state(session: Session, code: str) -> AddressState:
    """The state of a code of KLADR (13 or 17 digits), or of a path of GAR. AccessDenied."""
    picker = AddressPicker(session)
    own = picker.by_code(code)
    actuality = own.actuality if own else ""
    if own is not None and actuality in ("", kladr.LIVE):
        return AddressState(code, "live", own)
    new = "" if is_path(code) else _successor(session, picker, code)
    successor = picker.by_code(new) if new else None
    return AddressState(code, _state(code, actuality, new, successor), own, new, successor)


def _state(code: str, actuality: str, new: str, successor: AddressHit | None) -> State:
    """By the actuality in the base, else by the one in the code, where what became of it is known."""
    known = actuality or (code[-2:] if new else "")
    if known == kladr.GONE:
        return "gone"
    if "01" <= known <= "50":
        return "renamed" if actuality or successor else "unknown"
    return "resubordinated" if known else "unknown"


def _successor(session: Session, picker: AddressPicker, code: str) -> str:
    """Through the table of successors as far as it goes; an earlier name leads to the same code with 00. "" when there is none."""
    seen = {code}
    here = code
    for _ in range(MAX_STEPS):
        step = _next(session, here)
        if not step and "01" <= here[-2:] <= "50":
            step = here[:-2] + kladr.LIVE
        if not step or step in seen:
            break
        seen.add(step)
        here = step
        found = picker.by_code(here)
        if found is not None and found.actuality == kladr.LIVE:
            break
    return here if here != code else ""


def _next(session: Session, code: str) -> str:
    register = address_targets(session).successors
    if not register:
        return ""
    where: Mapping[str, object] = {"OldCode": code}
    rows = session.information_registers[register.removeprefix(REGISTER)].select(where)
    return min((str(r["NewCode"]) for r in rows), default="")

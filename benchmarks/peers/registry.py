"""The peers: what each is, what it needs, where it can work, and how much of the work it gets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infobase.i18n import text

ENGINES = ("file", "server")
OPERATIONS = ("post", "read", "list", "report")
"""Post an order of five lines, read one with its lines, a page of 50 with customers' names, what is to be shipped by product."""
DEALS = ("deal", "funnel")
"""Enter a deal and move it to its second stage; the deals by stage, their amounts and what passed on."""
SCRIPTS = Path(__file__).parent / "scripts"
_PSYCOPG = "psycopg[binary]>=3.2,<4"
_TRYTON = (
    *(f"{name}>=8.2,<8.3" for name in ("trytond", "trytond_party", "trytond_sale", "trytond_sale_opportunity")),
    "psycopg[binary,pool]>=3.2,<4",
)


@dataclass(frozen=True)
class Peer:
    """`requirements`: of its environment, none when it runs under our own interpreter; `operations`: what it does of OPERATIONS and DEALS;
    `dumps`: whether it dumps and restores; `guest`: it does so with our base, having none of its own; `share`: it is given one n-th of the
    operations, and we as many beside it; `missing`: why it cannot run here, "" when it can."""

    name: str
    script: str
    requirements: tuple[str, ...] = ()
    engines: tuple[str, ...] = ENGINES
    operations: tuple[str, ...] = OPERATIONS
    dumps: bool = False
    guest: bool = False
    share: int = 1
    missing: Callable[[], str] = str


def _no_pg_dump() -> str:
    absent = [name for name in ("pg_dump", "pg_restore") if shutil.which(name) is None]
    names = ", ".join(absent)
    return text(ru=f"нет программ {names}", en=f"there is no {names}") if absent else ""


PEERS = {
    p.name: p
    for p in (
        Peer("sqlalchemy", "sqlalchemy_orm.py", ("sqlalchemy>=2.0.30,<3", _PSYCOPG)),
        Peer("django", "django_orm.py", ("django>=5.2,<6", _PSYCOPG), dumps=True),
        Peer("tryton", "tryton_erp.py", _TRYTON, operations=OPERATIONS + DEALS, share=10),
        Peer("sqlite3", "sqlite_backup.py", engines=("file",), operations=(), dumps=True, guest=True),
        Peer("pg_dump", "pg_tools.py", engines=("server",), operations=(), dumps=True, guest=True, missing=_no_pg_dump),
    )
}

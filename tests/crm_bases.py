"""Bases of the CRM configuration for tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from infobase.connection import engine_of, open_session
from infobase.infobase import open_base
from infobase.metadata.model import Configuration
from infobase.metadata.reader import read_folder
from infobase.session import Session
from tests.golden import create_copy

CRM = Path(__file__).resolve().parents[1] / "crm" / "configuration"


@cache
def crm() -> Configuration:
    return read_folder(CRM)


def create_crm(connection: str) -> None:
    """A new base of the CRM at a connection string, without users."""
    engine = engine_of(connection)
    try:
        create_copy(engine, crm(), name="CRM")
    finally:
        engine.close()


def open_crm(connection: str, user: str = "", password: str = "") -> Session:
    return open_session(open_base(engine_of(connection)), user, password)

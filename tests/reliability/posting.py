"""One posting as a program of its own, for there is no line of the command line that posts."""

from __future__ import annotations

import click

from infobase.connection import engine_of, open_session
from infobase.infobase import open_base


@click.command()
@click.argument("connection")
def posting(connection: str) -> None:
    """Post one receipt of every item."""
    engine = engine_of(connection)
    try:
        with open_session(open_base(engine)) as session:
            receipt = session.documents.Receipt.new()
            for item in session.catalogs.Goods.select():
                receipt.Goods.add(Item=item, Quantity=7)
            receipt.post()
    finally:
        engine.close()

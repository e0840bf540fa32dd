"""`infobase post`: post a document that is there, or a copy of it."""

from __future__ import annotations

import click

from infobase.commands.access import Login, connection_argument, login_options, opened
from infobase.commands.interface import command, json_option, option
from infobase.commands.output import print_json, say
from infobase.errors import ObjectNotFound, UnknownObject
from infobase.i18n import text
from infobase.metadata.model import Document
from infobase.objects import DocumentObject
from infobase.query_model import Compare, OrderItem, Query, SelectItem
from infobase.session import Session


@command(
    "post",
    ru="Провести документ: с этим номером, иначе последний; с --copy - новую копию с нынешней датой",
    en="Post a document: the one of that number, else the latest; with --copy a new copy of it, dated now",
)
@connection_argument()
@click.argument("kind", metavar="DOCUMENT")
@click.argument("number", metavar="[NUMBER]", default="")
@option("--copy", "as_copy", is_flag=True, ru="Провести новую копию документа", en="Post a new copy of the document")
@login_options
@json_option
def post(connection: str, kind: str, number: str, as_copy: bool, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        document = _found(session, kind, number)
        if as_copy:
            made = document.copy()
            made["Date"] = session.now()
            assert isinstance(made, DocumentObject)
            document = made
        document.post()
        shown = session.presentation(document.ref)
        if as_json:
            print_json(
                {"ref": document.ref, "number": document.Number, "date": document.Date, "posted": document.Posted}
            )
            return
    say(text(ru=f"Проведён: {shown}", en=f"Posted: {shown}"))


def _found(session: Session, kind: str, number: str) -> DocumentObject:
    """The latest document of a kind, or the latest of those with the number. UnknownObject, ObjectNotFound."""
    meta = session.kernel.configuration.find(kind if "." in kind else f"Document.{kind}")
    if not isinstance(meta, Document):
        raise UnknownObject(name=kind, hint="")
    wanted = Compare("Number", "=", number) if number else None
    order = (OrderItem("Date", descending=True),)
    rows = session.query(Query(meta.full_name, select=(SelectItem("Ref"),), where=wanted, order_by=order, limit=1))
    if not rows:
        raise ObjectNotFound(object=f"{meta.full_name} {number}".strip())
    found = session.documents[meta.name].get(rows[0]["Ref"])  # type: ignore[arg-type]
    assert isinstance(found, DocumentObject)
    return found

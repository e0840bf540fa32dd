"""Queries, a page at a time, and how references are shown."""

from __future__ import annotations

from dataclasses import replace

from engine_server.application.calls.registry import Args, Context, call, known_type
from engine_server.wire import objects, values
from engine_server.wire.protocol import BATCH
from infobase import query_json
from infobase.query_model import MAX_LIMIT


@call()
def query(context: Context, args: Args) -> object:
    """One page: with the query's own limit, or the server's; `more`: there are further rows, behind `after`."""
    wanted = query_json.from_json(args["query"])
    limit = min(wanted.limit or context.settings.page_rows, MAX_LIMIT)
    session = context.session
    if session._tx is None:
        session = context.base.reading_session(session, context.server.written)
    rows, after = session.query_page(replace(wanted, limit=limit))
    if after is None and wanted.limit is None and len(rows) == limit:
        rows = session.query(wanted)  # a query without a key to page by comes whole
    made = values.rows_to_json(rows)
    made["after"] = None if after is None else [values.encode(v) for v in after]
    made["more"] = after is not None and wanted.limit is None and len(rows) == limit
    return made


@call()
def presentations(context: Context, args: Args) -> object:
    session = context.session
    refs = [objects.ref_from_json(r) for r in args["refs"][:BATCH]]
    with session.reading():
        shown = []
        for ref in refs:
            session.access.demand("Read", known_type(session, ref.type))
            shown.append(session.presentation(ref))
    return shown

"""The guard against files that are not all there: what closes a large part of the base is more likely to be cut than to be right.

An XML, a JSON, a DBF, a workbook say themselves where they end; of a text table nobody can tell that its last lines are missing. So a table may
take away less than the others. `accept_closures` among the options of a load lets it through.
"""

from __future__ import annotations

from collections.abc import Sequence

from classifiers.json_table import looks_like_json
from classifiers.kind import Changes, ClassifierKind, Options
from classifiers.recognise import looks_like_xml
from classifiers.source import Member
from infobase.errors import ClosuresRefused
from infobase.settings import ClassifierVersion

FEW = 20
"""So many records may always go."""
SHARE_OF_TABLE, SHARE = 0.25, 0.5
"""What part of the records may go, by a text table and by a file that says where it ends: banks left the directory by hundreds a year."""
RECORDS = "records"
"""The count of a version that says how many records the file had."""


def demand_few_closures(
    kind: ClassifierKind, members: Sequence[Member], changes: Changes, records: int, before: ClassifierVersion | None
) -> None:
    """ClosuresRefused for changes that close too many of the records held. Where nothing can be closed, a table is judged by the number of its
    `records`, against that of the version loaded `before`."""
    table = any(is_text_table(m) for m in members)
    share = SHARE_OF_TABLE if table else SHARE
    held, gone = changes.held, changes.closed
    if not held and table and changes.missing and before is not None:
        held = before.counts.get(RECORDS, 0)
        gone = held - records
    if gone >= FEW and gone > held * share:
        raise ClosuresRefused(place=members[0].place, kind=kind.name, held=held, gone=gone)


def accepts_closures(options: Options) -> bool:
    """Whether the user said that closing much is right."""
    return bool(options.get("accept_closures"))


def is_text_table(member: Member) -> bool:
    """Whether a member is text that is neither XML nor JSON: its end says nothing of whether it is whole."""
    head = member.head
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return not (looks_like_xml(head) or looks_like_json(head) or (b"\0" in head and not wide))

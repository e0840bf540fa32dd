"""National addresses: loading KLADR's streets beside the leanest loaders by hand, one region of many, parsing GAR, typing ahead."""

from __future__ import annotations

import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

import psycopg

from benchmarks.harness import Bench, Figure, Spent, spent
from benchmarks.typed_lines import typed_lines
from benchmarks.volume import Run, in_child, peak_mb
from benchmarks.writing import CRM
from classifiers.address_picker import AddressPicker
from classifiers.gar_parse import Attributes, GarRows
from classifiers.kladr_rows import STREET_FIELDS
from classifiers.loader import load
from classifiers.sample_gar import gar_object, gar_xml
from classifiers.sample_kladr import FIELDS, Size, write_sample_kladr
from classifiers.source import Member
from infobase.connection import engine_of
from infobase.infobase import create, open_base, system_session
from infobase.metadata.reader import read_folder
from infobase.schema.ddl import create_statements, index_statements
from infobase.schema.dialect import DIALECTS
from infobase.schema.layout import build_layout
from infobase.schema.search import search_key

REGIONS = tuple(f"{n:02d}" for n in range(1, 93))
ROUNDS = 2
STREETS = 1.2
"""Streets to a row of the other scenarios' bases: a million of them is a country of 1.2 million streets."""
CALLS = 3
"""Of every typed line; the middle one counts."""
TYPING_MS = 20
RECORD = 1 + sum(FIELDS["STREET"].values())
GAR_ROWS = 200_000


def addresses(bench: Bench, kind: str) -> list[Figure]:
    """`STREETS` streets a row, of 92 regions."""
    folder = bench.folder / f"kladr-{kind}"
    per_region = round(bench.rows * STREETS) // len(REGIONS)
    counts = write_sample_kladr(folder, REGIONS, Size(20, 20, max(4, per_region // 7), per_region, 0))
    streets = folder / "STREET.DBF"
    made = _loading(bench, kind, streets, counts["STREET"])
    made += _picking(bench, kind, folder, counts["STREET"])
    if kind == "file":
        made.append(_gar(bench.folder / "gar.xml"))
    return made


# --- loading ---


def _loading(bench: Bench, kind: str, streets: Path, rows: int) -> list[Figure]:
    ours: list[Run] = []
    one: list[Run] = []
    same: list[Spent] = []
    bare: list[Spent] = []
    clock = bench.clock(kind)
    by_hand = _raw_copy if kind == "server" else _raw_file
    for n in range(ROUNDS):
        place = _fresh(bench, kind, f"kladr_{n}")
        before = clock()
        run = in_child(_load_child, place, str(streets), "")
        server = clock() - before if kind == "server" else 0.0
        ours.append(Run(Spent(run.spent.wall, run.spent.cpu + server), run.peak_mb))
        same.append(spent(lambda: by_hand(bench, streets, same=True), clock))
        bare.append(spent(lambda: by_hand(bench, streets, same=False), clock))
        one.append(in_child(_load_child, _fresh(bench, kind, f"region_{n}"), str(streets), "01"))
    cpu = statistics.median(r.spent.cpu for r in ours)
    against = "sqlite3 by hand" if kind == "file" else "decode + raw COPY"
    picked = tuple(a.spent.wall / b.spent.wall for a, b in zip(ours, one, strict=True))
    told = f"{rows:,} streets, {cpu:.2f} s of processor"
    return [
        _against(kind, f"KLADR streets / {against}, CPU", ours, same, "<= 1.6" if kind == "file" else "<= 1.5", told),
        _against(kind, f"KLADR streets / {against} of bare columns, CPU", ours, bare, "", "no search, no dictionary"),
        Figure(
            "addresses",
            kind,
            "streets per CPU-second",
            rows / cpu,
            "rows/s",
            ">= 150000" if kind == "file" else "",
            told,
            better="higher",
        ),
        Figure(
            "addresses", kind, "all regions / one of 92", statistics.median(picked), "x", ">= 5", "", picked, "higher"
        ),
        Figure("addresses", kind, "peak memory", max(r.peak_mb for r in ours), "MB", "<= 200"),
    ]


def _against(kind: str, name: str, ours: list[Run], raw: list[Spent], target: str, note: str) -> Figure:
    ratios = tuple(a.spent.cpu / b.cpu for a, b in zip(ours, raw, strict=True))
    shown = f"{note}; by hand {statistics.median(r.cpu for r in raw):.2f} s"
    return Figure("addresses", kind, name, statistics.median(ratios), "x", target, shown, ratios)


def _fresh(bench: Bench, kind: str, name: str) -> str:
    engine = bench.engine(kind, name)
    create(engine, read_folder(CRM), name=name).kernel.engine.close()
    return bench.connection(kind, name)


def _load_child(connection: str, source: str, region: str) -> Run:
    with system_session(open_base(engine_of(connection)).kernel) as session:
        options = {"regions": (region,) if region else ()}
        took = spent(lambda: load(session, "kladr", Path(source), options=options))
        session.kernel.engine.close()
    return Run(took, peak_mb())


def _blocks(streets: Path) -> Iterator[list[list[str]]]:
    """The leanest reading: whole blocks decoded at once and sliced into columns, nothing checked."""
    bounds, at = [], 1
    for width in FIELDS["STREET"].values():
        bounds.append((at, at + width))
        at += width
    with streets.open("rb") as file:
        file.seek(32 + 32 * len(bounds) + 1)
        while (block := file.read(RECORD * 20_000)) and len(block) >= RECORD:
            text = block.decode("cp866")
            starts = range(0, len(text) - RECORD + 1, RECORD)
            yield [[text[i + a : i + b].rstrip() for i in starts] for a, b in bounds]


def _same_rows(streets: Path) -> Iterator[tuple[str, ...]]:
    """Rows of our table: with level, search key and actuality."""
    for names, types, codes, indexes, offices, divisions, okato in _blocks(streets):
        keys = ("2" + "\n2".join(search_key("\n".join(names)).split("\n"))).split("\n")
        levels, actual = ["5"] * len(codes), [c[15:] for c in codes]
        yield from zip(codes, levels, names, keys, types, indexes, okato, offices, divisions, actual, strict=True)


def _table(dialect: str) -> tuple[list[str], list[str], str, int]:
    """(statements that make our table, those that index it, its columns that are filled, how many)."""
    layout = build_layout(read_folder(CRM)).registers["InformationRegister.AddressObjects"]
    names = [f.column.name for name in STREET_FIELDS if (f := layout.field(name)) is not None]
    create_it = create_statements([layout.table], DIALECTS[dialect], indexes=False)
    index_it = index_statements(layout.table, DIALECTS[dialect])
    columns = DIALECTS[dialect].columns(names)
    return [s.sql for s in create_it], [s.sql for s in index_it], f"{layout.table.name} ({columns})", len(names)


def _raw_file(bench: Bench, streets: Path, *, same: bool) -> None:
    """One transaction without a journal; key and index as ours, or (not `same`) the file's bare columns with a key and an index by name."""
    target = bench.folder / "raw-streets.db"
    target.unlink(missing_ok=True)
    created, indexed, place, width = _table("sqlite") if same else _bare("TEXT")
    rows = _same_rows(streets) if same else chain.from_iterable(zip(*b, strict=True) for b in _blocks(streets))
    with closing(sqlite3.connect(target, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = OFF")
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("BEGIN")
        for statement in created:
            conn.execute(statement)
        conn.executemany(f"INSERT INTO {place} VALUES ({', '.join('?' * width)})", rows)
        for statement in indexed:
            conn.execute(statement)
        conn.execute("COMMIT")
    target.unlink()


def _bare(kind: str) -> tuple[list[str], list[str], str, int]:
    names = ", ".join(f"f{n} {kind}" for n in range(len(FIELDS["STREET"])))
    table = f"CREATE TABLE street({names}, PRIMARY KEY (f2))" + (" WITHOUT ROWID" if kind == "TEXT" else "")
    return [table], ["CREATE INDEX by_name ON street(f0, f2)"], "street", len(FIELDS["STREET"])


def _raw_copy(bench: Bench, streets: Path, *, same: bool) -> None:
    """COPY in text form likewise."""
    assert bench.pg is not None
    created, indexed, place, _ = _table("postgresql") if same else _bare('text COLLATE "C"')
    rows = _same_rows(streets) if same else chain.from_iterable(zip(*b, strict=True) for b in _blocks(streets))
    with psycopg.connect(bench.pg.start().conninfo()) as conn, conn.cursor() as cursor:
        for statement in created:
            cursor.execute(statement)
        with cursor.copy(f"COPY {place} FROM STDIN") as copy:
            while block := ["\t".join(row) for row in islice(rows, 4096)]:
                copy.write("\n".join(block) + "\n")
        for statement in indexed:
            cursor.execute(statement)
        conn.commit()
        cursor.execute(f"DROP TABLE {place.partition(' ')[0]}")
        conn.commit()


# --- typing ahead ---


def _picking(bench: Bench, kind: str, folder: Path, streets: int) -> list[Figure]:
    lines = typed_lines(folder)
    connection = _fresh(bench, kind, "picking")
    with system_session(open_base(engine_of(connection)).kernel) as session:
        load(session, "kladr", folder)
        picker = AddressPicker(session)
        for line in lines[::8]:  # everything is warm after that
            picker.find(line)
        clock = bench.fine_clock(kind)
        answered, took = 0, []
        for line in lines:
            calls = []
            for _ in range(CALLS):
                before = clock()
                found = picker.find(line)
                calls.append((clock() - before) * 1000)
            took.append(statistics.median(calls))
            answered += bool(found)
        session.kernel.engine.close()
    return _typing_figures(
        kind, lines, took, f"{len(lines)} lines over {streets:,} streets, {answered} of them answered"
    )


def _typing_figures(kind: str, lines: Sequence[str], took: Sequence[float], note: str) -> list[Figure]:
    """`took`: milliseconds of processor by line."""
    slowest, at = max(zip(took, range(len(took)), strict=True))
    late = sorted(took)[len(took) * 99 // 100]
    worst = f"«{lines[at]}»; {sum(t > TYPING_MS for t in took)} lines take more than {TYPING_MS} ms"
    target = f"<= {TYPING_MS}"
    return [
        Figure("addresses", kind, "typing ahead, CPU", statistics.fmean(took), "ms", target, note, tuple(took)),
        Figure("addresses", kind, "typing ahead, 99th of 100 lines, CPU", late, "ms", target),
        Figure("addresses", kind, "typing ahead, worst line, CPU", slowest, "ms", target, worst),
    ]


# --- GAR ---


def _gar(path: Path) -> Figure:
    path.write_bytes(gar_xml("ADDR_OBJ", (gar_object(n, f"Улочная {n}-я", "ул", 8) for n in range(1, GAR_ROWS))))
    member = Member(path.name, str(path), path.stat().st_size, lambda: path.open("rb"))
    taken: list[tuple[int, str]] = []

    def walk() -> None:
        rows = GarRows(member, "ADDR_OBJ")

        def handle(a: Attributes) -> None:
            if a.get("ISACTIVE") == "1":
                taken.append((rows.number(a, "OBJECTID"), rows.text(a, "NAME", 250)))

        taken.clear()
        rows.read(handle)

    runs = [member.size / 1e6 / spent(walk).cpu for _ in range(3)]
    path.unlink()
    note = f"{member.size / 1e6:.0f} MB, {len(taken):,} rows"
    return Figure(
        "addresses", "file", "GAR parsing", statistics.median(runs), "MB/CPU-s", ">= 60", note, tuple(runs), "higher"
    )

"""Loading the Bank of Russia's directory: 48 thousand accounts of 500 participants, against the leanest reader and writer by hand."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import resource
import sqlite3
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.parsers import expat
from zipfile import ZipFile

from benchmarks.harness import Bench, Duel, Figure, spent
from benchmarks.writing import CRM
from classifiers.account_key import cbr_prefix, with_key
from classifiers.loader import load
from classifiers.sample import SampleBank, sample_banks, write_ed807
from infobase.connection import engine_of
from infobase.infobase import create, open_base, system_session
from infobase.metadata.reader import read_folder
from infobase.storage import StorageEngine

BANKS = 500
ACCOUNTS = 960
"""More of each Treasury body, of which every tenth participant is one."""
ROUNDS = 3
DAY = dt.date(2026, 1, 12)


def directory(path: Path) -> int:
    """Write a directory of the real size; the number of its accounts."""
    made = [_with_accounts(b) if b.info["PtType"] == "52" else b for b in sample_banks(BANKS, 1)]
    write_ed807(path, made, DAY)
    return sum(tag == "Accounts" for b in made for tag, _ in b.children)


def _with_accounts(bank: SampleBank) -> SampleBank:
    pattern = next(attributes for tag, attributes in bank.children if tag == "Accounts")
    prefix = cbr_prefix(pattern["AccountCBRBIC"])
    more = [
        ("Accounts", {**pattern, "Account": with_key(prefix, f"4011681000000{n:07d}"), "RegulationAccountType": "TRSA"})
        for n in range(ACCOUNTS)
    ]
    return replace(bank, children=[*bank.children, *more])


def banks(bench: Bench, engine: str) -> list[Figure]:
    """Loading end to end: recognise, parse, check every key, compare, write, register; then the same file again."""
    source = bench.folder / "20260112ED01OSBR.zip"
    accounts = directory(source)
    ours, again, raw = [], [], []
    for number in range(ROUNDS):
        store = bench.engine(engine, f"banks{number}")
        create(store, read_folder(CRM), name="Banks")
        session = system_session(open_base(store).kernel)
        ours.append(spent(lambda s=session: load(s, "banks", source)))  # type: ignore[misc]
        again.append(spent(lambda s=session: load(s, "banks", source)))  # type: ignore[misc]
        raw.append(spent(lambda n=number: by_hand(source, bench.folder / f"raw{n}.db")))  # type: ignore[misc]
        _close(store)
    duel = Duel(ours, raw)
    cpu = statistics.median(s.cpu for s in ours)
    figures = [
        Figure("banks", engine, "load of the directory, CPU", cpu, "s", "<= 2", f"{accounts} accounts"),
        Figure("banks", engine, "accounts per CPU-second", accounts / cpu, "/s", better="higher"),
        Figure("banks", engine, "the same file again, CPU", statistics.median(s.cpu for s in again), "s", "<= 2"),
        *duel.figures("banks", engine, "load against parsing and inserting by hand", ""),
    ]
    if engine == "file":
        figures.append(Figure("banks", engine, "memory", _memory(source, bench.folder / "memory"), "MB", "<= 200"))
    return figures


def _close(store: StorageEngine) -> None:
    store.close()


def by_hand(source: Path, target: Path) -> int:
    """Participants and accounts as they stand in the file, unchecked, into two bare tables; nothing is compared or registered."""
    entries: list[tuple[str, ...]] = []
    accounts: list[tuple[str, ...]] = []
    bic = ""

    def start(tag: str, given: Mapping[str, str]) -> None:
        nonlocal bic
        if tag == "BICDirectoryEntry":
            bic = given["BIC"]
        elif tag == "ParticipantInfo":
            entries.append((bic, *(given.get(n, "") for n in ("NameP", "Rgn", "Ind", "Tnp", "Nnp", "Adr", "PtType"))))
        elif tag == "Accounts":
            accounts.append((bic, given["Account"], given["RegulationAccountType"], given["AccountCBRBIC"]))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    with ZipFile(source) as archive, archive.open(archive.namelist()[0]) as member:
        parser.ParseFile(member)
    with sqlite3.connect(target) as base:
        base.execute("CREATE TABLE entries (bic, name, rgn, ind, tnp, nnp, adr, kind)")
        base.execute("CREATE TABLE accounts (bic, account, kind, keeper)")
        base.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", entries)
        base.executemany("INSERT INTO accounts VALUES (?, ?, ?, ?)", accounts)
    base.close()
    return len(accounts)


def _memory(source: Path, folder: Path) -> float:
    """Most resident memory of a process that only loads, twice, in MB."""
    context = multiprocessing.get_context("spawn")
    answer = context.SimpleQueue()
    child = context.Process(target=_load_alone, args=(source, folder, answer))
    child.start()
    child.join()
    if child.exitcode:
        raise RuntimeError(f"the loading process ended with {child.exitcode}")
    return float(answer.get())


def _load_alone(source: Path, folder: Path, answer: multiprocessing.queues.SimpleQueue[float]) -> None:
    store = engine_of(f'File="{folder}";')
    create(store, read_folder(CRM), name="Banks")
    session = system_session(open_base(store).kernel)
    for _ in range(2):
        load(session, "banks", source)
    _close(store)
    answer.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

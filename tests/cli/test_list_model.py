"""Groups, order, merging and linting of lists of infobases, on lists of any shape."""

from __future__ import annotations

import stat
import time
import uuid
from pathlib import Path

import portalocker
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infobase import list_file
from infobase.connection_string import folder, parse
from infobase.errors import ListInvalid, ListNotWritable
from infobase.list_lint import lint, mend
from infobase.list_merge import merge, selection
from infobase.list_model import BaseList, Section, clean_path

PLACE = Path("x.v8i")

# --- lists of any shape ---

_char = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85")
_name = st.text(_char, max_size=12)
_path = st.lists(st.sampled_from(["А", "б", "C d", "e=f", "#", "!x"]), max_size=4).map(lambda p: "/" + "/".join(p))
_order = st.one_of(
    st.just("-1"), st.integers(0, 10**6).map(str), st.floats(0, 1e6).map(repr), st.sampled_from(["x", "", "inf"])
)
_id = st.one_of(st.uuids().map(str), st.just(""), st.sampled_from([str(uuid.UUID(int=n)) for n in range(3)]))
_connect = st.one_of(
    st.builds('File="{}";'.format, st.text(_char.filter(lambda c: c != '"'), min_size=1, max_size=9)),
    st.builds('Srvr="h";Ref="{}";'.format, st.integers(0, 99)),
    st.sampled_from(["", "File=", "nonsense", 'File="a";Pwd=s3cret', '"']),
)


@st.composite
def _section(draw: st.DrawFn) -> list[str]:
    spaced = draw(st.sampled_from(["=", "=", "=", " = "]))
    pairs = [("ID", draw(_id)), ("Folder", draw(_path)), ("OrderInTree", draw(_order)), ("OrderInList", draw(_order))]
    if draw(st.booleans()):
        pairs.append(("Connect", draw(_connect)))
    pairs += draw(st.lists(st.tuples(st.sampled_from(["App", "Version", "HttpsCA", "МойКлюч"]), _name), max_size=3))
    lines = [f"{k}{spaced}{v}" for k, v in draw(st.permutations(pairs))]
    return [f"[{draw(_name)}]", *lines, *draw(st.lists(st.sampled_from(["", "no sign", "; note"]), max_size=1))]


@st.composite
def lists(draw: st.DrawFn) -> BaseList:
    lines = [line for s in draw(st.lists(_section(), max_size=8)) for line in s]
    return list_file.from_bytes("".join(f"{line}\r\n" for line in lines).encode(), PLACE)


def again(bases: BaseList) -> BaseList:
    return list_file.from_bytes(list_file.to_bytes(bases), PLACE)


def shape(bases: BaseList) -> list[tuple[str, list[str]]]:
    return [(s.name, s.lines) for s in bases.sections]


@settings(max_examples=60)
@given(lists())
def test_any_list_round_trips(bases: BaseList) -> None:
    content = list_file.to_bytes(bases)
    assert list_file.to_bytes(again(bases)) == content
    assert shape(again(bases)) == shape(bases)


@settings(max_examples=60)
@given(lists())
def test_the_tree_shows_every_section_once_and_parents_first(bases: BaseList) -> None:
    nodes = bases.tree()
    assert sorted(id(n.section) for n in nodes) == sorted(id(s) for s in bases.sections)
    trail: list[str] = []
    for n in nodes:
        del trail[n.depth :]
        if n.depth:
            assert n.section.folder.casefold() == trail[-1].casefold()
        trail.append(n.section.path)


@settings(max_examples=60)
@given(lists(), lists())
def test_merging_loses_nothing_and_twice_is_once(ours: BaseList, theirs: BaseList) -> None:
    before = shape(ours)
    made = merge(ours, theirs)
    assert shape(ours)[: len(before)] == before, "entries of ours stay as they were"
    connects = {s.connect for s in ours.bases}
    ids = {s.id.casefold() for s in ours.sections}
    assert all(s.connect in connects or s.id.casefold() in ids for s in theirs.bases)
    assert len(made.added) + len(made.kept) == len(theirs.bases)
    content = list_file.to_bytes(ours)
    second = merge(ours, theirs)
    assert list_file.to_bytes(ours) == content and not second.added and not second.groups


@settings(max_examples=60)
@given(lists(), lists())
def test_updating_takes_settings_and_leaves_the_place(ours: BaseList, theirs: BaseList) -> None:
    folders = [s.folder for s in ours.sections]
    merge(ours, theirs, update=True)
    assert [s.folder for s in ours.sections][: len(folders)] == folders
    content = list_file.to_bytes(ours)
    assert not merge(ours, theirs, update=True).added
    assert len(list_file.to_bytes(ours)) == len(content)


@settings(max_examples=60)
@given(lists())
def test_mending_leaves_no_mendable_fault_and_loses_no_base(bases: BaseList) -> None:
    count = len(bases.bases)
    mend(bases)
    assert len(bases.bases) == count
    bases = again(bases)
    codes = {f.code for f in lint(bases)}
    assert not codes & {
        "spaces",
        "name_empty",
        "name_long",
        "name_taken",
        "id_missing",
        "id_invalid",
        "id_taken",
        "folder",
        "orphan",
    }
    content = list_file.to_bytes(bases)
    mend(bases)
    assert list_file.to_bytes(bases) == content


@settings(max_examples=60)
@given(lists())
def test_a_selection_has_no_password_and_no_orphan_of_its_own(bases: BaseList) -> None:
    out = selection(bases, PLACE)
    assert b"s3cret" not in list_file.to_bytes(out)
    assert len(out.sections) == len(bases.sections)
    for entry in bases.sections[:3]:
        part = selection(bases, PLACE, [entry])
        assert entry.name in [s.name for s in part.sections]
        known = {n.section.name for n in bases.tree() if n.orphan}
        assert all(n.section.name in known for n in part.tree() if n.orphan)


# --- groups and order ---


@pytest.fixture
def bases() -> BaseList:
    made = BaseList(PLACE)
    for name in ("a", "b", "c"):
        made.add(name, folder(f"/srv/{name}"), "/Clients/North")
    made.add("root", folder("/srv/root"))
    return made


def order(made: BaseList, path: str = "/Clients/North") -> list[str]:
    return [n.section.name for n in made.tree() if n.section.folder == path]


def test_groups_come_with_their_parents(bases: BaseList) -> None:
    assert [g.path for g in bases.groups] == ["/Clients", "/Clients/North"]
    assert bases.add_group("clients//NORTH/") == "/Clients/North", "found again in any case"
    assert bases.add_group("/") == "/"
    with pytest.raises(ListInvalid):
        bases.add_group("/x\ny")


def test_moving_keeps_the_order_of_the_others(bases: BaseList) -> None:
    bases.move(bases.entry("c"), "/Clients/North", first=True)
    assert order(bases) == ["c", "a", "b"]
    bases.move(bases.entry("b"), "/Clients/North", before=bases.entry("a"))
    assert order(bases) == ["c", "b", "a"]
    for _ in range(40):  # no room between two neighbours any more: all are numbered anew
        bases.move(bases.entry("a"), "/Clients/North", before=bases.entry("b"))
        bases.move(bases.entry("b"), "/Clients/North", before=bases.entry("a"))
    assert order(bases) == ["c", "b", "a"]
    bases.move(bases.entry("root"), "/Clients/South")
    assert order(bases, "/Clients/South") == ["root"]
    assert again(bases).entry("root").folder == "/Clients/South"


def test_a_group_takes_its_contents_along(bases: BaseList) -> None:
    bases.move(bases.entry("/Clients/North"), "/Archive")
    assert bases.entry("a").folder == "/Archive/North"
    bases.rename(bases.entry("/Archive"), "Архив")
    assert bases.entry("a").folder == "/Архив/North"
    with pytest.raises(ListInvalid):
        bases.move(bases.entry("/Архив"), "/Архив/North")
    with pytest.raises(ListInvalid):
        bases.rename(bases.entry("/Архив/North"), "a/b")
    bases.add_group("/Архив/South")
    with pytest.raises(ListInvalid):
        bases.rename(bases.entry("/Архив/South"), "north")


def test_removing_a_group_asks_for_its_contents(bases: BaseList) -> None:
    with pytest.raises(ListInvalid):
        bases.remove("/Clients")
    bases.remove("/Clients", recursive=True)
    assert [s.name for s in bases.sections] == ["root"]


def test_orphans_are_shown_at_the_root_and_kept(bases: BaseList) -> None:
    bases.sections.append(Section("lost", ['Connect=File="/x";', "Folder=/Gone/Away"]))
    node = next(n for n in bases.tree() if n.section.name == "lost")
    assert node.orphan and node.depth == 0
    assert again(bases).entry("lost").get("Folder") == "/Gone/Away"


def test_two_bases_of_one_name_need_an_id(bases: BaseList) -> None:
    bases.sections.append(Section("a", ['Connect=File="/second";', f"ID={uuid.UUID(int=7)}"]))
    with pytest.raises(ListInvalid) as caught:
        bases.find("a")
    assert str(uuid.UUID(int=7)) in str(caught.value)
    assert bases.entry(str(uuid.UUID(int=7))).connect == 'File="/second";'


def test_floating_orders_are_understood(bases: BaseList) -> None:
    bases.entry("a").set("OrderInTree", "492074.6666666666")
    assert order(bases) == ["b", "c", "a"]
    bases.add("d", folder("/d"), "/Clients/North")
    assert order(bases)[-1] == "d"


def test_spaces_around_the_sign_are_read_and_mended() -> None:
    raw = '[База]\nConnect = File="/srv/b"\nApp = Auto\n[]\nConnect=File="/srv/Торговля"\n'.encode()
    made = list_file.from_bytes(raw, PLACE)
    assert [s.connect for s in made.bases] == ['File="/srv/b"', 'File="/srv/Торговля"']
    assert {"spaces", "semicolon", "name_empty", "id_missing"} <= {f.code for f in lint(made)}
    mend(made)
    assert 'Connect=File="/srv/b";' in made.bases[0].lines and "App=Auto" in made.bases[0].lines
    assert made.bases[1].name == "Торговля"


def test_ten_thousand_entries_take_no_quadratic_work(tmp_path: Path) -> None:
    """Counted, not timed: how often sections are asked for their keys grows with their number, not with its square."""
    counted = [0]

    class Counting(Section):
        def get(self, key: str) -> str:
            counted[0] += 1
            return super().get(key)

    def big(n: int, first: int) -> BaseList:
        made = BaseList(tmp_path / "big.v8i")
        for i in range(first, first + n):
            lines = [f'Connect=File="/srv/{i}";', f"ID={uuid.UUID(int=i)}", f"Folder=/G{i % 50}", f"OrderInTree={i}"]
            made.sections.append(Counting(f"База {i}", lines))
        return made

    def work(n: int) -> int:
        counted[0] = 0
        ours = big(n, 0)
        merge(ours, big(n, n // 2))
        lint(ours)
        ours.tree()
        ours.add("new", folder("/x"), "/G1")
        ours.find("База 7")
        return counted[0]

    small, large = work(500), work(2000)
    assert large < 5 * small
    place = tmp_path / "list.v8i"
    place.write_bytes(list_file.to_bytes(big(10_000, 0)))
    started = time.monotonic()
    list_file.edit(place, lambda found: found.add("x", folder("/x")))
    print(f"adding to 10,000 entries: {time.monotonic() - started:.2f} s")
    assert len(list_file.read(place).bases) == 10_001


def test_merging_keeps_both_orders() -> None:
    theirs = BaseList(PLACE)
    for name, group in (("a", "/Y"), ("b", "/X"), ("c", "/Y")):
        theirs.add(name, folder(f"/{name}"), group)
    ours = BaseList(PLACE)
    ours.add("own", folder("/own"))
    merge(ours, theirs)
    assert [n.section.name for n in ours.tree()] == ["own", "Y", "a", "c", "X", "b"]
    flat = sorted(ours.bases, key=lambda s: s.order("OrderInList"))
    assert [s.name for s in flat] == ["own", "a", "b", "c"]


# --- writing beside others ---


def test_a_writer_without_locks_is_not_lost(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"
    place.write_bytes(b"")
    foreign = iter(
        [b'[first]\r\nConnect=File="/1";\r\n', b'[first]\r\nConnect=File="/1";\r\n[second]\r\nConnect=File="/2";\r\n']
    )

    def change(bases: BaseList) -> None:
        bases.add("ours", folder("/ours"))
        content = next(foreign, None)
        if content is not None:
            place.write_bytes(content)

    list_file.edit(place, change)
    assert [s.name for s in list_file.read(place).bases] == ["first", "second", "ours"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ibases.v8i", "ibases.v8i.lock"]


def test_a_name_taken_meanwhile_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"

    def change(bases: BaseList) -> None:
        bases.add("CRM", folder("/ours"))
        place.write_bytes(b'[crm]\r\nConnect=File="/theirs";\r\n')

    with pytest.raises(ListInvalid):
        list_file.edit(place, change)
    assert place.read_bytes() == b'[crm]\r\nConnect=File="/theirs";\r\n'


def test_a_program_that_never_stops_writing_is_reported(tmp_path: Path) -> None:
    place, count = tmp_path / "ibases.v8i", [0]

    def change(bases: BaseList) -> None:
        bases.add("x", folder("/x"))
        count[0] += 1
        place.write_bytes(f"[b{count[0]}]\r\n".encode())

    with pytest.raises(ListNotWritable):
        list_file.edit(place, change)
    assert count[0] == list_file.ATTEMPTS


def test_a_read_only_list_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"
    place.write_bytes(b"[a]\r\n")
    place.chmod(stat.S_IREAD)
    with pytest.raises(ListNotWritable):
        list_file.edit(place, lambda bases: bases.add("x", folder("/x")))
    assert place.read_bytes() == b"[a]\r\n"


@pytest.mark.parametrize("locked", ["ibases.v8i", "ibases.v8i.lock"])
def test_a_locked_list_is_reported(tmp_path: Path, locked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_file, "LOCK_TIMEOUT", 0.1)
    place = tmp_path / "ibases.v8i"
    place.write_bytes(b"[a]\r\n")
    with portalocker.Lock(str(tmp_path / locked), "a"), pytest.raises(ListNotWritable):
        list_file.edit(place, lambda bases: bases.add("x", folder("/x")))
    assert place.read_bytes() == b"[a]\r\n"


def test_a_folder_in_place_of_the_list(tmp_path: Path) -> None:
    with pytest.raises(ListInvalid):
        list_file.read(tmp_path)
    with pytest.raises(ListNotWritable):
        list_file.edit(tmp_path, lambda bases: None)


# --- common lists ---


def test_common_lists_are_read_and_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFOBASE_1CESTART", raising=False)
    shared, place = tmp_path / "shared.v8i", tmp_path / "mine" / "ibases.v8i"
    place.parent.mkdir()
    shared.write_bytes(f'[Общая]\r\nConnect=File="/srv/common";\r\nID={uuid.UUID(int=5)}\r\n'.encode())
    settings_text = f'CommonInfoBases={shared}\r\nCOMMONINFOBASES=http://host/list.v8i\r\nCommonInfoBases="{tmp_path / "no.v8i"}"\r\n'
    place.with_name("1cestart.cfg").write_bytes(settings_text.encode("utf-16"))
    found = list_file.shared_lists(place)
    assert [bool(c.trouble) for c in found] == [False, True, True]
    assert list_file.resolve("Общая", place).get("File") == "/srv/common"
    assert list_file.resolve(str(uuid.UUID(int=5)), place).get("File") == "/srv/common"
    before = shared.read_bytes(), shared.stat().st_mtime_ns
    with pytest.raises(ListInvalid):
        list_file.edit(place, lambda bases: bases.remove("Общая"))
    assert (shared.read_bytes(), shared.stat().st_mtime_ns) == before


def test_a_name_that_looks_like_a_path_is_found(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"
    list_file.edit(place, lambda bases: bases.add("ООО А/Б", folder("/srv/ab")))
    assert list_file.resolve("ООО А/Б", place).get("File") == "/srv/ab"
    assert list_file.resolve(str(tmp_path), place).get("File") == str(tmp_path), "a folder that exists goes first"


@given(st.text(max_size=20))
@settings(max_examples=50)
def test_paths_of_groups_have_one_form(written: str) -> None:
    made = clean_path(written)
    assert made.startswith("/") and "//" not in made and clean_path(made) == made
    assert parse("/x").kind == "file"


def test_a_home_nobody_has_is_only_a_name() -> None:
    made = list_file.from_bytes(b'[a]\nConnect=File="~nobody-here";\n', PLACE)
    assert "missing" in {f.code for f in lint(made)}

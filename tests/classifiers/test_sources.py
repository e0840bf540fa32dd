"""Where a classifier is read from: archives with limits, the network with guards, templates, the product's lists, a watched folder."""

from __future__ import annotations

import csv
import http.server
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from classifiers import download, source
from classifiers.download import Limits, downloaded
from classifiers.kinds import KINDS
from classifiers.okof import OKOF
from classifiers.oksm import OKSM
from classifiers.places import builtin_file, template_file, watch
from classifiers.regions import regions
from classifiers.source import open_source
from infobase.errors import ClassifierInvalid, ClassifierUnknown, DownloadRefused, UsageError
from tests.classifiers.helpers import OKOF_XML, OKVED_CSV, REAL, kind_of, needs_real, put, read, refusal, zipped

py7zr = pytest.importorskip("py7zr")


def seven_zipped(path: Path, members: dict[str, bytes], password: str | None = None) -> Path:
    with py7zr.SevenZipFile(path, "w", password=password) as archive:
        for name, body in members.items():
            archive.writef(io.BytesIO(body), name)
    return path


def test_a_7z_archive_is_read(tmp_path: Path) -> None:
    path = seven_zipped(tmp_path / "a.bin", {"x/okof.xml": OKOF_XML.encode(), "readme.txt": b"read me"})
    assert kind_of(path) == "okof"
    assert len(read("okof", path)[1]) == 6


def test_bad_7z_archives(tmp_path: Path) -> None:
    whole = seven_zipped(tmp_path / "a.7z", {"okof.xml": OKOF_XML.encode()}).read_bytes()
    for cut in (6, 31, len(whole) // 2, len(whole) - 1):
        assert refusal("okof", put(tmp_path, "cut.7z", whole[:cut]))
    assert "зашифрован" in refusal("okof", seven_zipped(tmp_path / "p.7z", {"okof.xml": b"<x/>"}, "secret"))
    bomb = seven_zipped(tmp_path / "b.7z", {"okof.xml": b" " * (16 * 1024 * 1024)})
    assert "распакованный размер" in refusal("okof", bomb)


def test_without_the_library_7z_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = seven_zipped(tmp_path / "a.7z", {"okof.xml": OKOF_XML.encode()})
    monkeypatch.setitem(__import__("sys").modules, "py7zr", None)
    assert "py7zr" in refusal("okof", path)


def test_archives_keep_to_their_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = zipped(tmp_path / "many.zip", {f"{i}.txt": b"x" for i in range(30)})
    monkeypatch.setattr(source, "MAX_MEMBERS", 20)
    assert "30" in refusal("okof", many)
    path = zipped(tmp_path / "z.zip", {"okof.xml": OKOF_XML})
    with open_source(path) as opened:
        member = opened.members[0]
        with pytest.raises(ClassifierInvalid):
            list(member.chunks(limit=100))


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", {"okof.xml": OKOF_XML})
    body = bytearray(path.read_bytes())
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = body.find(mark)
        body[at + (6 if mark == b"PK\x03\x04" else 8)] |= 1
    assert "зашифрован" in refusal("okof", put(tmp_path, "e.zip", bytes(body)))


def test_what_systems_leave_beside_the_files_is_passed_over(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", {"okof.xml": OKOF_XML, "__MACOSX/._okof.xml": OKOF_XML, ".hidden.xml": OKOF_XML})
    assert len(read("okof", path)[1]) == 6


def test_the_digest_of_a_folder_is_of_what_is_read(tmp_path: Path) -> None:
    put(tmp_path, "a/okof.xml", OKOF_XML)
    with open_source(tmp_path / "a") as opened:
        before = opened.sha256(opened.members)
    put(tmp_path, "b/okof.xml", OKOF_XML)
    with open_source(tmp_path / "b") as opened:
        assert opened.sha256(opened.members) == before
    put(tmp_path, "b/okof.xml", OKOF_XML + " ")
    with open_source(tmp_path / "b") as opened:
        assert opened.sha256(opened.members) != before


# --- the network


@contextmanager
def serving(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sends(
    body: bytes, status: int = 200, length: int | None = None, **headers: str
) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


OWN = Limits(allow_private=True)


def test_a_file_is_downloaded_with_its_name() -> None:
    with serving(sends(OKOF_XML.encode())) as url, downloaded(f"{url}/a/okof.xml?x=1", OWN) as path:
        assert path.name == "okof.xml"
        assert path.read_text("utf-8") == OKOF_XML
    assert not path.exists()


def refused(url: str, limits: Limits | None = None) -> str:
    with pytest.raises(DownloadRefused) as caught, downloaded(url, limits):
        pass
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "/etc/passwd",
        "http://",
        "https://user:pw@example.org/x",
        "http://[::1",
        "gopher://x/",
    ],
)
def test_only_plain_web_addresses(url: str) -> None:
    assert refused(url, OWN)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[fe80::1]",
        "2130706433",
    ],
)
def test_inner_addresses_are_refused(host: str) -> None:
    message = refused(f"http://{host}:9/x")
    assert "внутренний" in message or "inner" in message or "не найден" in message


def test_a_redirect_inside_is_refused_though_the_first_step_was_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(sends(b"secret")) as inner, serving(sends(b"", 302, Location=f"{inner}/x")) as outer:
        real = download._is_public
        port = outer.rpartition(":")[2]
        seen: list[str] = []

        def public(address: str) -> bool:
            seen.append(address)
            return len(seen) == 1 or real(address)

        monkeypatch.setattr(download, "_is_public", public)
        assert "внутренний" in refused(f"http://127.0.0.1:{port}/x") or seen
        assert len(seen) == 2


def test_redirects_are_followed_a_few_times() -> None:
    with (
        serving(sends(OKOF_XML.encode())) as inner,
        serving(sends(b"", 301, Location=f"{inner}/okof.xml")) as outer,
        downloaded(f"{outer}/a", OWN) as path,
    ):
        assert path.stat().st_size == len(OKOF_XML.encode())
    with serving(sends(b"", 302, Location="/again")) as loop:
        assert "переадресаций" in refused(loop, OWN)
    with serving(sends(b"", 302, Location="file:///etc/passwd")) as leak:
        assert refused(leak, OWN)


def test_limits_of_size_and_time_and_broken_answers() -> None:
    with serving(sends(b"x" * 5000)) as url:
        assert "больше 1000" in refused(url, Limits(bytes=1000, allow_private=True))
    with serving(sends(b"x" * 50, length=5000)) as url:
        assert "50 из 5000" in refused(url, OWN) or "нет связи" in refused(url, OWN)
    with serving(sends(b"", 404)) as url:
        assert "404" in refused(url, OWN)

    def drips(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    with serving(drips) as url:
        started = time.monotonic()
        assert "0.3 с" in refused(url, Limits(seconds=0.3, allow_private=True))
        assert time.monotonic() - started < 4


# --- templates, lists, a watched folder


def test_okof_is_found_in_the_folder_of_the_template(tmp_path: Path) -> None:
    for version in ("3_0_9_1", "3_0_30_10"):
        put(tmp_path, f"1c/Accounting/{version}/OKOF.XML", OKOF_XML)
    put(tmp_path, "firm/Trade/9_0_0_1/okof.xml", OKOF_XML)
    assert template_file(OKOF, "", [tmp_path], ["Accounting"]) == tmp_path / "1c/Accounting/3_0_30_10/OKOF.XML"
    assert template_file(OKOF, "", [tmp_path], []) == tmp_path / "firm/Trade/9_0_0_1/okof.xml"
    own = tmp_path / "1c/Accounting/3_0_9_1"
    assert template_file(OKOF, str(own), [tmp_path], []) == own / "OKOF.XML"
    with pytest.raises(ClassifierUnknown) as caught:
        template_file(OKOF, "", [tmp_path / "absent"], [])
    assert "absent" in str(caught.value)
    with pytest.raises(UsageError):
        template_file(OKSM, "", [tmp_path], [])


@pytest.mark.parametrize(("kind", "count"), [("oksm", 251), ("okv", 163), ("okei", 526), ("okopf", 123)])
def test_the_lists_of_the_product_are_whole(kind: str, count: int) -> None:
    path = builtin_file(KINDS[kind])
    assert kind_of(path) == kind
    file, items = read(kind, path)
    assert (len(items), file.warning_count()) == (count, 0)
    assert len({i.code for i in items}) == count


def test_there_is_no_list_of_the_others() -> None:
    with pytest.raises(UsageError):
        builtin_file(OKOF)


@needs_real
def test_the_lists_of_the_product_agree_with_published_ones() -> None:
    own = {i.code: i.values for i in read("oksm", builtin_file(KINDS["oksm"]))[1]}
    for item in read("oksm", REAL / "oksm" / "oksm.csv")[1]:
        if item.code in own:
            assert (own[item.code]["Alpha2"], own[item.code]["Alpha3"]) == (
                item.values["Alpha2"],
                item.values["Alpha3"],
            )
    units = {i.code: i for i in read("okei", REAL / "okei" / "okei.xml")[1]}
    shared = [i for i in read("okei", builtin_file(KINDS["okei"]))[1] if i.code in units]
    assert len(shared) == len(units) == 525  # and one more, which later editions left out
    for item in shared:
        code = item.values["InternationalCode"]
        assert not code or set(str(code).split("; ")) == set(
            str(units[item.code].values["InternationalCode"]).split("; ")
        )
    currencies = {i.code: i.values["AlphabeticCode"] for i in read("okv", builtin_file(KINDS["okv"]))[1]}
    for item in read("rates", REAL / "okv" / "XML_daily_2022-03-15.xml")[1]:
        assert currencies[str(item.values["NumCode"])] == item.values["CharCode"]


@needs_real
def test_the_regions_agree_with_a_published_table() -> None:
    known = regions()
    assert len(known) == 90
    with (REAL / "kladr" / "crosscheck" / "region.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            assert known[row["kladr_id"][:2]].okato.ljust(11, "0") == row["okato"]


def test_a_watched_folder_gives_what_appears_in_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    kinds = list(KINDS.values())
    looks = 0

    def tick() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            put(tmp_path, "disk/data-20240201-structure-20180402.csv", OKVED_CSV, "cp1251")
            put(tmp_path, "disk/okof.xml", OKOF_XML)

    assert [k.name for k in watch(disk, kinds, 20, tick)] == ["okof", "okved2"]
    assert looks >= 2


def test_a_watch_ends_and_says_what_was_wrong(tmp_path: Path) -> None:
    with pytest.raises(ClassifierUnknown) as caught:
        watch(tmp_path / "disk", list(KINDS.values()), 0.1, lambda: None)
    assert "0.1" in str(caught.value)
    put(tmp_path, "disk/a.zip", zipped(tmp_path / "z.zip", {"okof.xml": OKOF_XML}).read_bytes()[:-30])
    with pytest.raises(ClassifierInvalid):
        watch(tmp_path / "disk", list(KINDS.values()), 0.1, lambda: None)


def test_an_archive_in_an_archive_is_looked_into(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"папка/okof.xml": OKOF_XML}).read_bytes()
    outer = zipped(tmp_path / "outer.zip", {"ДАННЫЕ.ZIP": inner, "readme.txt": "x"})
    with open_source(outer) as source:
        assert [m.name for m in source.members] == ["ДАННЫЕ.ZIP/папка/okof.xml", "readme.txt"]
    assert len(read("okof", outer)[1]) == 6
    put(tmp_path, "cut.bin", inner[: len(inner) // 2])
    assert "zip" in refusal("okof", zipped(tmp_path / "cut.zip", {"a.zip": inner[: len(inner) // 2]}))
    deeper = zipped(tmp_path / "deeper.zip", {"outer.zip": outer.read_bytes()})
    assert "okof" not in kinds_there(deeper)


def kinds_there(path: Path) -> set[str]:
    with open_source(path) as source:
        return {m.base_name for m in source.members}


def test_names_of_dos_packers_are_shown_as_meant(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"XXXX.xml": OKOF_XML})
    data = path.read_bytes().replace(b"XXXX.xml", "ОКОФ.xml".encode("cp866"))
    path.write_bytes(data)
    with open_source(path) as source:
        assert [m.name for m in source.members] == ["ОКОФ.xml"]
    assert len(read("okof", path)[1]) == 6


def test_zip64_and_stored_members(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("okof.xml", "w", force_zip64=True) as member:
        member.write(OKOF_XML.encode())
    assert len(read("okof", path)[1]) == 6


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_faults_of_files_are_told_in_words(tmp_path: Path, kind: str) -> None:
    assert "нет такого файла" in refusal(kind, tmp_path / "absent")
    assert "файл пуст" in refusal(kind, put(tmp_path, "empty.zip.part", b""))
    whole = zipped(tmp_path / "a.zip", {"a.txt": "x" * 1000}).read_bytes()
    assert "файл обрезан" in refusal(kind, put(tmp_path, "cut.zip", whole[: len(whole) // 2]))

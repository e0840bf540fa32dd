"""The wizard: every way through it, back from every question, and on a real terminal."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from infobase import errors, list_file
from infobase.connection import engine_of
from infobase.infobase import open_base
from templates_store.commands.wizard import ThisComputer, do
from templates_store.wizard import Back, run
from tests import postgres
from tests.templates.conftest import Program
from tests.templates.samples import package

DEFAULT = object()


class Script:
    """Answers from a list: an option by its beginning, a text, DEFAULT, or Back. Keeps the questions that were put."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []
        self.explained: list[str] = []

    def _next(self, question: str) -> object:
        self.questions.append(question)
        answer = self.answers.pop(0)
        if answer is Back:
            raise Back()
        return answer

    def choose(self, question: str, options: Sequence[str], default: int) -> int:
        answer = self._next(question)
        return default if answer is DEFAULT else next(i for i, o in enumerate(options) if o.startswith(str(answer)))

    def ask(self, question: str, default: str, complaint: Callable[[str], str]) -> str:
        while True:
            answer = self._next(question)
            given = default if answer is DEFAULT else str(answer)
            said = complaint(given)
            if not said:
                return given
            self.explained.append(said)

    def secret(self, question: str) -> str:
        return str(self._next(question))

    def explain(self, message: str) -> None:
        self.explained.append(message)


class Home(ThisComputer):
    """This computer with its folder of bases elsewhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def bases_folder(self) -> Path:
        return self.folder


@pytest.fixture
def home(program: Program, tmp_path: Path) -> Home:
    for version in ("1.0.0.1", "1.0.0.2"):
        assert program("template", "install", package(tmp_path / version, version))[0] == 0
    return Home(tmp_path / "bases")


def test_a_base_from_a_template_by_defaults_alone(home: Home, tmp_path: Path) -> None:
    script = Script(*[DEFAULT] * 7, "", DEFAULT)
    plan = run(script, home)
    assert not script.answers
    assert (plan.kind, plan.name, plan.group, plan.admin, plan.password) == ("new", "Магазин", "/", "Администратор", "")
    assert plan.template is not None and plan.template.version == "1.0.0.2"
    assert plan.place is not None and plan.place.file == tmp_path / "bases" / "Shop" / "Store"
    do(plan)
    engine = engine_of(plan.place)
    assert open_base(engine).name == "Магазин"
    engine.close()
    found = list_file.read(list_file.default_place()).find("Магазин")
    assert found is not None and str(plan.place.file) in found.connect
    again = run(Script(*[DEFAULT] * 7, "", DEFAULT), home)
    assert again.name == "Магазин (2)" and again.place is not None and again.place.file.name == "Store 2"


def test_back_from_every_question_and_forward_again(home: Home) -> None:
    straight = ["Создать новую", "Из шаблона", "1.0.0.1", "Лавка", "На этом", DEFAULT, "Хозяин", "тайна", "Выполнить"]
    expected = run(Script(*straight), home)
    assert expected.template is not None and expected.template.version == "1.0.0.1"
    for at in range(1, len(straight)):
        script = Script(*straight[:at], Back, *straight[at - 1 :])
        assert run(script, home) == expected, at
        assert script.questions[at - 1] == script.questions[at + 1]
    with pytest.raises(Back):
        run(Script(*straight[:3], *[Back] * 4), home)
    assert run(Script(*straight[:-1], "Вернуться", "тайна", "Выполнить"), home) == expected


def test_another_answer_after_going_back(home: Home) -> None:
    script = Script("Создать новую", "Из шаблона", Back, "Без", "Пусто", "На этом", DEFAULT, DEFAULT, "", DEFAULT)
    plan = run(script, home)
    assert plan.template is None and plan.name == "Пусто" and plan.place is not None and plan.place.file.name == "Пусто"


def test_unfit_answers_are_explained_and_asked_again(home: Home, tmp_path: Path) -> None:
    do(run(Script(*[DEFAULT] * 7, "", DEFAULT), home))
    taken = str(tmp_path / "bases" / "Shop" / "Store")
    script = Script(
        DEFAULT,
        DEFAULT,
        DEFAULT,
        "Магазин",
        "",
        "Вторая",
        DEFAULT,
        taken,
        str(tmp_path / "second"),
        "",
        "Я",
        "",
        DEFAULT,
    )
    plan = run(script, home)
    assert plan.name == "Вторая" and plan.place is not None and plan.place.file == tmp_path / "second"
    assert any("уже есть база" in said for said in script.explained) and len(script.explained) >= 4


def test_groups_and_existing_bases(home: Home, tmp_path: Path) -> None:
    do(run(Script("Создать группу", "Клиенты", DEFAULT), home))
    do(run(Script("Создать группу", "a/b", "Розница", "/Клиенты", DEFAULT), home))
    made = run(Script(*[DEFAULT] * 7, "", "/Клиенты/Розница", DEFAULT), home)
    assert made.group == "/Клиенты/Розница"
    do(made)
    list_file.edit(list_file.default_place(), lambda bases: bases.remove("Магазин"))
    script = Script("Добавить", str(tmp_path / "none"), str(made.place.file), DEFAULT, "/Клиенты", DEFAULT)  # type: ignore[union-attr]
    plan = run(script, home)
    assert any("нет базы" in said for said in script.explained)
    do(plan)
    found = list_file.read(list_file.default_place()).find("Store")
    assert found is not None and found.folder == "/Клиенты"


def test_a_base_on_a_server_needs_its_password(home: Home, pg_url: str, pg_database: str) -> None:
    place = postgres.place_in(pg_url, pg_database)
    server = f"{place.host}:{place.port}"
    script = Script(
        *[DEFAULT] * 3, "На складе", "На сервере", "127.0.0.1:1", DEFAULT, DEFAULT, "", server, pg_database, place.user, "", DEFAULT, "", "тайна", DEFAULT
    )  # fmt: skip
    plan = run(script, home)
    assert plan.password == "тайна" and plan.place is not None and plan.place.kind == "dbms"
    assert any("нужен пароль" in said for said in script.explained)
    do(plan)
    engine = engine_of(plan.place)
    assert open_base(engine).name == "На складе"
    engine.close()
    listed = list_file.read(list_file.default_place()).find("На складе")
    assert listed is not None and pg_database in listed.connect
    postgres.drop_databases(pg_url, "infobase_golden_")


def test_templates_that_make_nothing_are_named(home: Home, root: Path) -> None:
    for file in root.rglob("1Cv8.cf"):
        file.unlink()
    script = Script(DEFAULT, DEFAULT, "На этом", DEFAULT, DEFAULT, "", DEFAULT)
    plan = run(script, home)
    assert plan.template is None and any("нет файла" in said for said in script.explained)


def test_without_a_terminal_there_is_no_wizard(program: Program) -> None:
    for command in ("create", "wizard"):
        assert program(command)[0] == errors.UsageError.exit_code


def on_terminal(
    arguments: list[str], answers: str, environment: dict[str, str], seconds: float = 60
) -> tuple[int, str]:
    """Run the program on a pseudo-terminal with answers typed ahead; (exit code, everything shown)."""
    child, descriptor = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "cli", *arguments], environment)
    shown, waiting = b"", answers.encode().split(b"\n")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ready, _, _ = select.select([descriptor], [], [], 0.3)
        if ready:
            try:
                piece = os.read(descriptor, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        elif waiting and shown.rstrip().endswith((b":", b"]")):
            os.write(descriptor, waiting.pop(0) + b"\n")
    _, status = os.waitpid(child, 0)
    os.close(descriptor)
    return os.waitstatus_to_exitcode(status), shown.decode("utf-8", "replace")


def test_on_a_real_terminal(home: Home, tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(Path(__file__).parents[2])}
    code, shown = on_terminal(["create"], "1\n7\n1\n<\n1\n1\n\n\n\n\n\n\n1", environment)
    assert code == 0, shown
    assert "Нужно число от 1 до 2" in shown and "Создана информационная база «Магазин»" in shown
    assert (tmp_path / "home" / "Documents" / "InfoBases" / "Shop" / "Store" / "1Cv8.1CD").is_file()
    code, shown = on_terminal(["wizard"], "<", environment)
    assert code == errors.Cancelled.exit_code and "Traceback" not in shown

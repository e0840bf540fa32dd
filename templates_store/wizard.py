"""The wizard of a new base, as 1C's starter asks: what to add; from a template or empty; name; place; parameters. Every question has a default and
a way back. Nothing is done here: the wizard ends with a `Plan`, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from infobase.appointing import usual_administrator
from infobase.connection_string import ConnectionString, folder, parse
from infobase.errors import InfobaseError
from infobase.i18n import text
from templates_store.tree import Node, Template, build

Kind = Literal["new", "existing", "group"]
BACK = "<"
_FILE, _SERVER = "file place", "server place"


class Back(Exception):
    """The user went one question back."""


class Asker(Protocol):
    """Puts one question at a time; raises `Back`."""

    def choose(self, question: str, options: Sequence[str], default: int) -> int:
        """Index of the chosen option."""

    def ask(self, question: str, default: str, complaint: Callable[[str], str]) -> str:
        """A line of text; asked again while `complaint` has something to say."""

    def secret(self, question: str) -> str:
        """A password, typed twice; "" for none."""

    def explain(self, message: str) -> None:
        """Something to know before the next question."""


class World(Protocol):
    """What the wizard looks at before it offers or accepts an answer."""

    def templates(self) -> list[Template]: ...

    def groups(self) -> list[str]:
        """Paths of the list's groups, "/" first."""

    def free_name(self, name: str) -> str: ...

    def name_complaint(self, name: str) -> str:
        """Why the list does not take a name; "" when it does."""

    def place_complaint(self, where: ConnectionString, *, exists: bool) -> str:
        """Why a base cannot be made (or, with `exists`, found) at a place; "" when it can."""

    def demands_password(self, where: ConnectionString) -> bool: ...

    def bases_folder(self) -> Path:
        """Where new file bases are suggested."""


@dataclass(frozen=True)
class Plan:
    """The answers. `template` None: an empty base. `place` None for a group."""

    kind: Kind
    name: str
    group: str = "/"
    place: ConnectionString | None = None
    template: Template | None = None
    admin: str = ""
    password: str = ""


@dataclass(frozen=True)
class _Draft:
    """Answers so far; None: not asked yet. `level`: how far down the tree of templates one is; `door`: which kind of place."""

    kind: Kind | None = None
    origin: Literal["template", "empty"] | None = None
    template: Template | None = None
    name: str | None = None
    door: str | None = None
    place: ConnectionString | None = None
    admin: str | None = None
    password: str | None = None
    group: str | None = None
    sure: bool = False


_Step = Callable[["_Wizard", _Draft], _Draft]


def run(asker: Asker, world: World) -> Plan:
    """Ask until everything is known and confirmed. `Back` at the first question leaves the wizard."""
    counted = _Counted(asker)
    wizard = _Wizard(counted, world)
    draft, trail = _Draft(), list[_Draft]()
    while (step := _next(draft)) is not None:
        before = counted.questions
        try:
            answered = step(wizard, draft)
        except Back:
            if not trail:
                raise
            draft = trail.pop()
            continue
        if counted.questions > before:
            trail.append(draft)
        draft = answered
    assert draft.kind is not None
    name, group = draft.name or "", draft.group or "/"
    return Plan(draft.kind, name, group, draft.place, draft.template, draft.admin or "", draft.password or "")


def _next(draft: _Draft) -> _Step | None:
    """The first question that is not answered yet."""
    if draft.kind is None:
        return _Wizard.ask_kind
    steps: dict[str, _Step] = {}
    if draft.kind == "new":
        steps["origin"] = _Wizard.ask_origin
    if draft.origin == "template":
        steps["template"] = _Wizard.ask_template
    if draft.kind == "existing":
        steps["place"] = _Wizard.ask_existing
    steps["name"] = _Wizard.ask_name
    if draft.kind == "new":
        place = _Wizard.ask_folder if draft.door == _FILE else _Wizard.ask_server
        steps |= {"door": _Wizard.ask_door, "place": place, "admin": _Wizard.ask_admin}
        if draft.admin != "":
            steps["password"] = _Wizard.ask_password
    steps["group"] = _Wizard.ask_group
    unanswered = (step for name, step in steps.items() if getattr(draft, name) is None)
    return next(unanswered, None if draft.sure else _Wizard.confirm)


@dataclass
class _Counted:
    """An asker that counts: a step that had nothing to ask is no step to go back to."""

    asker: Asker
    questions: int = 0

    def choose(self, question: str, options: Sequence[str], default: int) -> int:
        self.questions += 1
        return self.asker.choose(question, options, default)

    def ask(self, question: str, default: str, complaint: Callable[[str], str]) -> str:
        self.questions += 1
        return self.asker.ask(question, default, complaint)

    def secret(self, question: str) -> str:
        self.questions += 1
        return self.asker.secret(question)

    def explain(self, message: str) -> None:
        self.asker.explain(message)


class _Wizard:
    """The questions. `said`: last answers, offered again after going back."""

    def __init__(self, asker: Asker, world: World) -> None:
        self.asker, self.world = asker, world
        self.said: dict[str, str] = {}

    def ask_kind(self, draft: _Draft) -> _Draft:
        kinds: tuple[Kind, ...] = ("new", "existing", "group")
        options = [
            text(ru="Создать новую информационную базу", en="Make a new infobase"),
            text(ru="Добавить в список существующую базу", en="Add an existing base to the list"),
            text(ru="Создать группу в списке", en="Make a group in the list"),
        ]
        return replace(draft, kind=kinds[self._choose("kind", text(ru="Что сделать", en="What to do"), options, 0)])

    # --- from what ---

    def ask_origin(self, draft: _Draft) -> _Draft:
        for dead in (t for t in self.world.templates() if t.source is None):
            self.asker.explain(text(ru=f"Шаблон {dead}: {dead.reason}", en=f"Template {dead}: {dead.reason}"))
        if not self._usable():
            ru = "Шаблоны не установлены: база будет пустой."
            self.asker.explain(text(ru=ru, en="No templates are installed: the base will be empty."))
            return replace(draft, origin="empty")
        options = [
            text(ru="Из шаблона", en="From a template"),
            text(ru="Без конфигурации, пустая", en="Without a configuration, empty"),
        ]
        chosen = self._choose("origin", text(ru="Как создать базу", en="How to make the base"), options, 0)
        return replace(draft, origin="empty" if chosen else "template")

    def ask_template(self, draft: _Draft) -> _Draft:
        return replace(draft, template=self._template(build(self._usable())))

    def _usable(self) -> list[Template]:
        return [t for t in self.world.templates() if t.source is not None]

    def _template(self, node: Node) -> Template:
        """Down the tree, level by level; a level with one way on is passed."""
        trail = list[Node]()
        while True:
            options: list[Node | Template] = [*node.below.values(), *node.templates]
            if len(options) == 1:
                chosen = options[0]
            else:
                names = [*node.below, *(_version(t) for t in node.templates)]
                question = text(ru="Шаблон", en="Template") if node.below else text(ru="Версия", en="Version")
                try:
                    chosen = options[self.asker.choose(question, names, 0)]
                except Back:
                    if not trail:
                        raise
                    node = trail.pop()
                    continue
                trail.append(node)
            if isinstance(chosen, Template):
                return chosen
            node = chosen

    # --- name and place ---

    def ask_name(self, draft: _Draft) -> _Draft:
        if draft.kind == "group":
            question = text(ru="Имя группы", en="The group's name")
            return replace(draft, name=self._ask("group name", question, "", _group_complaint))
        suggested = draft.place.file.name if draft.place is not None and draft.place.kind == "file" else ""
        if draft.template is not None:
            suggested = draft.template.name
        suggested = self.world.free_name(suggested or text(ru="Информационная база", en="Infobase"))
        question = text(ru="Имя базы в списке", en="The base's name in the list")
        return replace(draft, name=self._ask("name", question, suggested, self.world.name_complaint))

    def ask_door(self, draft: _Draft) -> _Draft:
        options = [
            text(
                ru="На этом компьютере или в общей папке (файловая)",
                en="On this computer or in a shared folder (file mode)",
            ),
            text(ru="На сервере PostgreSQL", en="On a PostgreSQL server"),
        ]
        chosen = self._choose("door", text(ru="Где будет база", en="Where the base will be"), options, 0)
        return replace(draft, door=(_FILE, _SERVER)[chosen])

    def ask_folder(self, draft: _Draft) -> _Draft:
        question = text(ru="Папка базы", en="The base's folder")
        suggested = self._suggested_folder(draft)
        found = self._ask("folder", question, str(suggested), lambda given: self._folder_complaint(given, exists=False))
        return replace(draft, place=folder(Path(found).expanduser().absolute()))

    def _suggested_folder(self, draft: _Draft) -> Path:
        """The template's Destination, or the name, in the folder of bases; with a number where it is taken."""
        own = draft.template.destination if draft.template is not None else ""
        parts = [p for p in own.split("/") if p not in ("", ".", "..")] or [_file_name(draft.name or "")]
        first = self.world.bases_folder().joinpath(*parts)
        candidates = [first, *(first.with_name(f"{first.name} {n}") for n in range(2, 100))]
        return next((c for c in candidates if not c.exists() or not any(c.iterdir())), first)

    def _folder_complaint(self, given: str, *, exists: bool) -> str:
        if not given.strip():
            return text(ru="нужна папка", en="a folder is needed")
        return self.world.place_complaint(folder(Path(given).expanduser().absolute()), exists=exists)

    def ask_server(self, draft: _Draft) -> _Draft:
        """Server, database and user in turn; the whole place is tried, and asked again from the server on when it does not do."""
        while True:
            answers = self._server_answers(draft)
            name, _, port = answers["DBSrvr"].partition(":")
            server = f"{name} port={port}" if port else name
            pairs = {"DBMS": "PostgreSQL", **answers, "DBSrvr": server}
            place = ConnectionString("dbms", tuple((key, value) for key, value in pairs.items() if value))
            complaint = self.world.place_complaint(place, exists=False)
            if not complaint:
                return replace(draft, place=place)
            self.asker.explain(complaint)

    def _server_answers(self, draft: _Draft) -> dict[str, str]:
        database = re.sub(r"[^a-z0-9_]+", "_", _latin(draft.name or "")).strip("_") or "infobase"
        questions = [
            (
                "DBSrvr",
                text(ru="Сервер PostgreSQL (имя или имя:порт)", en="PostgreSQL server (name or name:port)"),
                "localhost",
            ),
            ("DB", text(ru="Имя базы данных", en="The database's name"), database),
            ("DBUID", text(ru="Пользователь PostgreSQL", en="PostgreSQL user"), "postgres"),
        ]
        answers: dict[str, str] = {}
        at = 0
        while at < len(questions):
            key, question, default = questions[at]
            try:
                answers[key] = self._ask(key, question, default, _filled)
                at += 1
            except Back:
                if at == 0:
                    raise
                at -= 1
        answers["DBPwd"] = self.asker.secret(
            text(ru="Пароль пользователя PostgreSQL (пусто - без него)", en="PostgreSQL password (empty for none)")
        )
        return answers

    def ask_existing(self, draft: _Draft) -> _Draft:
        question = text(ru="Папка базы или строка соединения", en="The base's folder or a connection string")
        return replace(draft, place=_place(self._ask("existing", question, "", self._existing_complaint)))

    def _existing_complaint(self, given: str) -> str:
        try:
            where = _place(given)
        except InfobaseError as e:
            return str(e)
        return self.world.place_complaint(where, exists=True)

    # --- parameters ---

    def ask_admin(self, draft: _Draft) -> _Draft:
        question = text(ru="Имя администратора базы", en="The base administrator's name")
        return replace(draft, admin=self._ask("admin", question, usual_administrator(), _filled))

    def ask_password(self, draft: _Draft) -> _Draft:
        assert draft.place is not None
        demanded = self.world.demands_password(draft.place)
        question = text(ru="Пароль администратора", en="Administrator's password")
        if not demanded:
            question += text(ru=" (пусто - без пароля)", en=" (empty for none)")
        while True:
            given = self.asker.secret(question)
            if given or not demanded:
                return replace(draft, password=given)
            self.asker.explain(text(ru="На сервере нужен пароль.", en="A server needs a password."))

    def ask_group(self, draft: _Draft) -> _Draft:
        groups = self.world.groups()
        if groups == ["/"]:
            return replace(draft, group="/")
        shown = [text(ru="Корень списка", en="The list's root") if g == "/" else g for g in groups]
        return replace(
            draft, group=groups[self._choose("group", text(ru="Группа в списке", en="Group in the list"), shown, 0)]
        )

    def confirm(self, draft: _Draft) -> _Draft:
        for line in _summary(draft):
            self.asker.explain(line)
        options = [text(ru="Выполнить", en="Do it"), text(ru="Вернуться назад", en="Go back")]
        if self.asker.choose(text(ru="Всё верно", en="Is it right"), options, 0) == 1:
            raise Back()
        return replace(draft, sure=True)

    # --- plumbing ---

    def _choose(self, key: str, question: str, options: Sequence[str], default: int) -> int:
        known = self.said.get(key)
        chosen = self.asker.choose(question, options, options.index(known) if known in options else default)
        self.said[key] = options[chosen]
        return chosen

    def _ask(self, key: str, question: str, default: str, complaint: Callable[[str], str]) -> str:
        given = self.asker.ask(question, self.said.get(key, default), complaint)
        if given != default:
            self.said[key] = given
        return given


def _place(given: str) -> ConnectionString:
    where = parse(given)
    if where.kind == "list":
        where = folder(where.name)
    return folder(where.file.absolute()) if where.kind == "file" else where


def _version(template: Template) -> str:
    return f"{template.version} ({template.manifest_file.parent})"


def _filled(given: str) -> str:
    return "" if given.strip() else text(ru="нужно значение", en="a value is needed")


def _group_complaint(given: str) -> str:
    if "/" in given:
        return text(ru="в имени группы нет «/»", en='a group\'s name has no "/"')
    return _filled(given)


def _file_name(name: str) -> str:
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "", name).strip(" .") or "Infobase"


_LETTERS = dict(zip("абвгдеёзийклмнопрстуфхыэ", "abvgdeeziyklmnoprstufhye", strict=True))
_LETTERS |= {"ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ю": "yu", "я": "ya", "ъ": "", "ь": ""}


def _latin(name: str) -> str:
    return "".join(_LETTERS.get(c, c) for c in name.casefold())


def _summary(draft: _Draft) -> list[str]:
    """What is going to be done, a line for each answer."""
    facts: dict[str, object] = {}
    if draft.kind == "new":
        empty = text(ru="пустая", en="empty")
        facts[text(ru="Шаблон", en="Template")] = draft.template or empty
    facts[text(ru="Имя", en="Name")] = draft.name
    if draft.place is not None:
        facts[text(ru="Место", en="Place")] = draft.place
    if draft.admin:
        with_one, without = text(ru="с паролем", en="with a password"), text(ru="без пароля", en="without a password")
        facts[text(ru="Администратор", en="Administrator")] = (
            f"{draft.admin}, {with_one if draft.password else without}"
        )
    facts[text(ru="Группа", en="Group")] = draft.group
    return [f"{name}: {value}" for name, value in facts.items()]

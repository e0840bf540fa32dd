"""What one file cannot see alone: movements, expressions, checks, rights, cycles. Returns the configuration with names made English
in expressions and with the recorders of registers filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from infobase.errors import ExpressionInvalid, Problem
from infobase.i18n import Bilingual, language, set_language
from infobase.metadata.expressions import compile_expression, rename_paths
from infobase.metadata.model import (
    CONFIGURATION_RIGHTS,
    RIGHTS,
    AccumulationRegister,
    BalanceCheck,
    Catalog,
    Configuration,
    Document,
    Enumeration,
    Field,
    InformationRegister,
    MetadataObject,
    PredefinedItem,
    RegisterRecords,
    Right,
    Role,
    find_field,
)
from infobase.metadata.tables import Source
from infobase.metadata.types import EnumType, EnumValue, RefType, ValueType, simple_types

USER_FIELDS = ("name", "ref")
SESSION_FIELDS = ("date",)


@dataclass
class _Place:
    """Where a fault is noted."""

    problems: list[Problem]
    source: Source

    def fault(self, key: str, ru: str, en: str, expected: Bilingual | str = "") -> None:
        self.problems.append(Problem(self.source.file, self.source.line(key), key, Bilingual(ru, en), expected))


def validate(configuration: Configuration, sources: Mapping[str, Source], problems: list[Problem]) -> Configuration:
    """The configuration made whole; faults go to `problems`."""
    objects: dict[str, MetadataObject] = dict(configuration.objects)
    for name, o in configuration.objects.items():
        place = _Place(problems, sources[name])
        if isinstance(o, Catalog):
            _catalog(configuration, o, place)
        if isinstance(o, Document):
            objects[name] = _document(configuration, o, place)
        if isinstance(o, Role):
            objects[name] = _role(configuration, o, place)
        _defaults(configuration, o, place)
    _owner_cycles(configuration, sources, problems)
    objects.update(_with_recorders(objects, sources, problems))
    return replace(configuration, objects=objects)


def _with_recorders(
    objects: Mapping[str, MetadataObject], sources: Mapping[str, Source], problems: list[Problem]
) -> dict[str, MetadataObject]:
    made: dict[str, MetadataObject] = {}
    for name, o in objects.items():
        if not isinstance(o, AccumulationRegister | InformationRegister):
            continue
        documents = (d for d in objects.values() if isinstance(d, Document))
        recorders = tuple(sorted(d.full_name for d in documents if any(r.register == name for r in d.register_records)))
        subordinate = isinstance(o, AccumulationRegister) or o.subordinate
        if recorders and not subordinate:
            _Place(problems, sources[name]).fault(
                "write_mode",
                "у независимого регистра есть регистраторы",
                "an independent register has recorders",
                "RecorderSubordinate",
            )
        elif subordinate and not recorders:
            _Place(problems, sources[name]).fault(
                "name", "ни один документ не движет этот регистр", "no document records into this register"
            )
        else:
            made[name] = replace(o, recorders=recorders)
    return made


# --- catalogs ---


def _catalog(configuration: Configuration, o: Catalog, place: _Place) -> None:
    if o.code.series == "WithinOwner" and not o.owners:
        place.fault("code.series", "у справочника нет владельцев", "the catalog has no owners", "WholeCatalog")
    names = {p.name: p for p in o.predefined}
    for item in o.predefined:
        key = f"predefined.{item.name}"
        if item.is_folder and o.hierarchy != "FoldersAndItems":
            place.fault(f"{key}.is_folder", "в справочнике нет групп", "the catalog has no folders")
        _predefined_parent(o, item, names, place, key)
        if bool(item.owner) != bool(o.owners):
            place.fault(f"{key}.owner", "владелец указан не к месту или не указан", "an owner is missing or not wanted")
        elif item.owner and _predefined(configuration, item.owner, o.owners) is None:
            place.fault(
                f"{key}.owner",
                f"«{item.owner}»: нет такого элемента",
                f"{item.owner!r}: there is no such item",
                "Catalog.Name.Item",
            )
        if item.code and (not o.code.length or len(item.code) > o.code.length):
            place.fault(f"{key}.code", "код длиннее разрешённого", "the code is too long", str(o.code.length))
        for name, value in item.values.items():
            _predefined_value(configuration, o, place, f"{key}.values.{name}", name, value)


def _predefined_parent(
    o: Catalog, item: PredefinedItem, names: Mapping[str, PredefinedItem], place: _Place, key: str
) -> None:
    seen, at = {item.name}, item
    while at.parent:
        parent = names.get(at.parent.rpartition(".")[2])
        if not o.hierarchy or parent is None:
            place.fault(
                f"{key}.parent", f"«{at.parent}»: нет такого родителя", f"{at.parent!r}: there is no such parent"
            )
            return
        if parent.name in seen:
            place.fault(f"{key}.parent", "родители образуют цикл", "the parents form a cycle")
            return
        if o.hierarchy == "FoldersAndItems" and not parent.is_folder:
            place.fault(f"{key}.parent", "родитель не группа", "the parent is not a folder")
            return
        seen.add(parent.name)
        at = parent


def _predefined(configuration: Configuration, written: str, catalogs: Iterable[str]) -> PredefinedItem | None:
    full_name, _, item = written.rpartition(".")
    found = configuration.objects.get(full_name)
    if not isinstance(found, Catalog) or full_name not in set(catalogs):
        return None
    return next((p for p in found.predefined if p.name == item), None)


def _predefined_value(
    configuration: Configuration, o: Catalog, place: _Place, key: str, name: str, value: object
) -> None:
    field = find_field(o.attributes, name)
    if field is None:
        place.fault(
            key, f"нет реквизита «{name}»", f"there is no attribute {name!r}", ", ".join(f.name for f in o.attributes)
        )
        return
    if isinstance(value, dict | list):
        place.fault(key, "нужно простое значение", "a plain value is needed")
        return
    if not isinstance(value, str):
        return
    refs = [t.target for t in simple_types(field.type) if isinstance(t, RefType)]
    if refs and _predefined(configuration, value if "." in value else f"{o.full_name}.{value}", refs) is None:
        place.fault(key, f"«{value}»: нет такого элемента", f"{value!r}: there is no such item", "Catalog.Name.Item")
    for t in simple_types(field.type):
        if isinstance(t, EnumType) and not _enum_has(configuration, t.target, value.rpartition(".")[2]):
            place.fault(
                key,
                f"«{value}»: нет такого значения",
                f"{value!r}: there is no such value",
                _values(configuration, t.target),
            )


def _enum_has(configuration: Configuration, full_name: str, value: str) -> bool:
    found = configuration.objects.get(full_name)
    return isinstance(found, Enumeration) and found.value(value) is not None


def _values(configuration: Configuration, full_name: str) -> str:
    found = configuration.objects.get(full_name)
    return ", ".join(v.name for v in found.values) if isinstance(found, Enumeration) else ""


def _defaults(configuration: Configuration, o: MetadataObject, place: _Place) -> None:
    for part in ("attributes", "dimensions", "resources"):
        for f in getattr(o, part, ()):
            if isinstance(f.default, EnumValue) and not _enum_has(configuration, f.default.type, f.default.name):
                expected = _values(configuration, f.default.type)
                place.fault(
                    f"{part}.{f.name}.default",
                    f"«{f.default}»: нет такого значения",
                    f"{f.default}: no such value",
                    expected,
                )


def _owner_cycles(configuration: Configuration, sources: Mapping[str, Source], problems: list[Problem]) -> None:
    for o in configuration.catalogs:
        seen, waiting = set[str](), list(o.owners)
        while waiting:
            name = waiting.pop()
            if name == o.full_name:
                _Place(problems, sources[o.full_name]).fault(
                    "owners", "владельцы образуют цикл", "the owners form a cycle"
                )
                break
            if name not in seen:
                seen.add(name)
                owner = configuration.objects.get(name)
                waiting += owner.owners if isinstance(owner, Catalog) else ()


# --- expressions ---


@dataclass
class _Scope:
    """What names an expression may use: scope name -> fields (None: a plain value)."""

    configuration: Configuration
    roots: Mapping[str, Sequence[Field] | tuple[str, ...]]

    def rename(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The path in English. KeyError with the unknown name."""
        root = self.roots.get(names[0])
        if root is None or len(names) < 2:
            raise KeyError(names[0])
        if root and isinstance(root[0], str):
            if len(names) != 2 or names[1] not in root:
                raise KeyError(".".join(names))
            return names
        return (names[0], *self._fields(tuple(f for f in root if isinstance(f, Field)), names[1:]))

    def _fields(self, fields: tuple[Field, ...], names: tuple[str, ...]) -> tuple[str, ...]:
        found = find_field(fields, names[0])
        if found is None:
            raise KeyError(names[0])
        if len(names) == 1:
            return (found.name,)
        return (found.name, *self._through(found.type, names[1:]))

    def _through(self, value_type: ValueType, names: tuple[str, ...]) -> tuple[str, ...]:
        for t in simple_types(value_type):
            target = self.configuration.objects.get(t.target) if isinstance(t, RefType) else None
            if isinstance(target, Catalog | Document) and find_field(target.fields, names[0]):
                return self._fields(target.fields, names)
        raise KeyError(names[0])


class _PlainScope(_Scope):
    """Restrictions: bare field names of the object, `user` and `session`."""

    def rename(self, names: tuple[str, ...]) -> tuple[str, ...]:
        if names[0] in ("user", "session"):
            return super().rename(names)
        root = self.roots[""]
        return self._fields(tuple(f for f in root if isinstance(f, Field)), names)


def _expression(source: str, scope: _Scope, place: _Place, key: str) -> str:
    """The expression with English names; a fault where it does not compile."""
    if not source:
        return source
    try:
        compile_expression(source)
        renamed = rename_paths(source, scope.rename)
    except ExpressionInvalid as e:
        ru, en = _both(e)
        place.fault(key, ru, en)
    except KeyError as e:
        place.fault(
            key, f"имя {e} неизвестно в выражении «{source}»", f"the name {e} is unknown in the expression {source!r}"
        )
    else:
        _named_values(source, scope.configuration, place, key)
        return renamed
    return source


def _both(e: ExpressionInvalid) -> tuple[str, str]:
    """The error's wording in both languages."""
    current = language()
    try:
        set_language("ru")
        ru = str(e)
        set_language("en")
        return ru, str(e)
    finally:
        set_language(current)


def _named_values(source: str, configuration: Configuration, place: _Place, key: str) -> None:
    from infobase.metadata.expressions import Call, Constant, walk

    for node in walk(compile_expression(source).tree):
        if not isinstance(node, Call) or node.function != "value" or not isinstance(node.arguments[0], Constant):
            continue
        written = str(node.arguments[0].value)
        full_name, _, item = written.rpartition(".")
        found = configuration.objects.get(full_name)
        names = [v.name for v in found.values] if isinstance(found, Enumeration) else []
        names += [p.name for p in found.predefined] if isinstance(found, Catalog) else []
        if item not in names:
            place.fault(
                key, f"«{written}»: нет такого значения", f"{written!r}: there is no such value", ", ".join(names)
            )


# --- documents ---


def _document(configuration: Configuration, o: Document, place: _Place) -> Document:
    if o.posting == "Deny" and o.register_records:
        place.fault(
            "register_records",
            "документ не проводится, но описаны движения",
            "the document does not post but declares movements",
        )
    records = tuple(
        _records(configuration, o, r, place, f"register_records.{n}") for n, r in enumerate(o.register_records)
    )
    checks = tuple(_check(configuration, o, c, place, f"balance_checks.{n}") for n, c in enumerate(o.balance_checks))
    return replace(o, register_records=records, balance_checks=checks)


def _records(configuration: Configuration, o: Document, r: RegisterRecords, place: _Place, key: str) -> RegisterRecords:
    register = configuration.objects.get(r.register)
    section = next((s for s in o.tabular_sections if s.naming.answers_to(r.each)), None) if r.each else None
    if r.each and section is None:
        names = ", ".join(s.name for s in o.tabular_sections)
        place.fault(f"{key}.each", f"нет табличной части «{r.each}»", f"there is no tabular section {r.each!r}", names)
        return r
    if not isinstance(register, AccumulationRegister | InformationRegister):
        return r
    _record_type(register, r, place, key)
    roots: dict[str, Sequence[Field]] = {"doc": o.fields}
    if section is not None:
        roots["row"] = section.fields
    scope = _Scope(configuration, roots)
    made: dict[str, str] = {}
    own = (*register.dimensions, *register.resources, *register.attributes)
    for name, expression in r.set.items():
        field = find_field(own, name)
        if field is None:
            names = ", ".join(f.name for f in own)
            place.fault(
                f"{key}.set.{name}", f"в регистре нет поля «{name}»", f"the register has no field {name!r}", names
            )
        elif not expression:
            place.fault(f"{key}.set.{name}", "пустое выражение", "an empty expression")
        else:
            made[field.name] = _expression(expression, scope, place, f"{key}.set.{name}")
    missing = [f.name for f in register.dimensions if f.required and f.name not in made]
    if missing:
        place.fault(
            f"{key}.set", f"не заданы измерения: {', '.join(missing)}", f"dimensions are not set: {', '.join(missing)}"
        )
    when = _expression(r.when, scope, place, f"{key}.when")
    period = _expression(r.period, scope, place, f"{key}.period")
    return RegisterRecords(r.register, made, section.name if section else "", when, r.record_type, period)


def _record_type(
    register: AccumulationRegister | InformationRegister, r: RegisterRecords, place: _Place, key: str
) -> None:
    balance = isinstance(register, AccumulationRegister) and register.has_balance
    if balance and not r.record_type:
        place.fault(f"{key}.record_type", "не указан вид движения", "no record type", "Receipt, Expense")
    if not balance and r.record_type:
        place.fault(f"{key}.record_type", "у этого регистра нет вида движения", "this register has no record type")


def _check(configuration: Configuration, o: Document, c: BalanceCheck, place: _Place, key: str) -> BalanceCheck:
    register = configuration.objects.get(c.register)
    if not isinstance(register, AccumulationRegister) or not register.has_balance:
        place.fault(
            f"{key}.register",
            "проверять остатки можно только в регистре остатков",
            "only a balance register has balances to check",
        )
        return c
    if not any(r.register == c.register for r in o.register_records):
        place.fault(
            f"{key}.register", "документ не движет этот регистр", "the document does not record into this register"
        )
    require = _expression(c.require, _Scope(configuration, {"balance": register.resources}), place, f"{key}.require")
    when = _expression(c.when, _Scope(configuration, {"doc": o.fields}), place, f"{key}.when")
    return BalanceCheck(c.register, require, when)


# --- roles ---


def _role(configuration: Configuration, o: Role, place: _Place) -> Role:
    return replace(o, rights=tuple(_right(configuration, r, place, f"rights.{n}") for n, r in enumerate(o.rights)))


def _right(configuration: Configuration, right: Right, place: _Place, key: str) -> Right:
    allowed = CONFIGURATION_RIGHTS if right.object == "Configuration" else RIGHTS
    for part in ("rights", "restricted_rights"):
        for name in getattr(right, part):
            if name not in allowed:
                place.fault(f"{key}.{part}", f"нет права «{name}»", f"there is no right {name!r}", ", ".join(allowed))
    if not right.restriction:
        return right
    target = configuration.objects.get(right.object)
    fields = getattr(target, "fields", None)
    if fields is None:
        place.fault(f"{key}.restriction", "у этого объекта нет записей", "this object has no records to restrict")
        return right
    roots: dict[str, Sequence[Field] | tuple[str, ...]] = {"": fields, "user": USER_FIELDS, "session": SESSION_FIELDS}
    restriction = _expression(right.restriction, _PlainScope(configuration, roots), place, f"{key}.restriction")
    return replace(right, restriction=restriction)

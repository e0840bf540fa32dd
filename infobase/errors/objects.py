"""Of objects, posting and queries."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


class ValueInvalid(InfobaseError):
    exit_code = 40
    ru = "{field}: значение «{value}» не подходит: {detail}"
    en = "{field}: the value {value!r} does not fit: {detail}"


class RequiredFieldsEmpty(InfobaseError):
    exit_code = 41
    ru = "Не заполнены обязательные поля ({object}): {fields_listing}"
    en = "Required fields are empty ({object}): {fields_listing}"


class ObjectNotFound(InfobaseError):
    exit_code = 42
    ru = "Объект не найден: {object}"
    en = "Object not found: {object}"


class VersionConflict(InfobaseError):
    exit_code = 43
    ru = "Данные были изменены или удалены другим пользователем: {object}. Перечитайте объект и повторите."
    en = "The data was changed or deleted by another user: {object}. Read it again and repeat."


class NotUnique(InfobaseError):
    exit_code = 44
    ru = "Значение поля {field} не уникально: «{value}» ({object})"
    en = "The value of {field} is not unique: {value!r} ({object})"


class ReferenceBroken(InfobaseError):
    exit_code = 45
    ru = "Ссылка на несуществующий объект: {field} = {value}"
    en = "Reference to an object that does not exist: {field} = {value}"


class ObjectReferenced(InfobaseError):
    exit_code = 46
    ru = "Нельзя удалить {object}: на него ссылаются {users}. Пометьте на удаление и удалите вместе с ними."
    en = "Cannot delete {object}: referenced by {users}. Mark it for deletion and delete it together with them."


class OperationForbidden(InfobaseError):
    """A rule of the platform, such as a hierarchy cycle, a predefined item, posting of a document that does not post."""

    exit_code = 47
    ru = "{object}: {detail}"
    en = "{object}: {detail}"


class BalanceShortage(InfobaseError):
    """`shortages`: one per key: register, resource, key (field -> presentation), shortage (Decimal)."""

    exit_code = 48
    ru = "Документ не проведён ({object}). Не хватает: {listing}"
    en = "The document was not posted ({object}). Shortage: {listing}"


class PeriodLocked(InfobaseError):
    exit_code = 49
    ru = "Период закрыт до {until} (дата запрета изменений): {object} от {date} изменить нельзя."
    en = "The period is closed until {until}: {object} of {date} cannot be changed."


class NumberOverflow(InfobaseError):
    exit_code = 50
    ru = "Число не помещается: {field} = {value}, разрешено {digits} знаков, из них {scale} дробных"
    en = "The number does not fit: {field} = {value}, {digits} digits allowed, {scale} of them after the point"


class QueryInvalid(InfobaseError):
    exit_code = 51
    ru = "Ошибка запроса: {detail}"
    en = "Query error: {detail}"

"""Of the OData interface and the application server."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


class ODataContentInvalid(InfobaseError):
    exit_code = 180
    ru = "В состав OData нельзя включить «{name}». Похожие: {hint}"
    en = "{name!r} cannot be published by OData. Similar: {hint}"


class ServiceBusy(InfobaseError):
    exit_code = 182
    ru = "Все сеансы службы заняты ({limit}). Повторите позже или увеличьте --sessions."
    en = "All sessions of the service are busy ({limit}). Try again later, or raise --sessions."


class ServiceNotStarted(InfobaseError):
    exit_code = 181
    ru = "Служба не запустилась ({place}): {detail}"
    en = "The service did not start ({place}): {detail}"


class ServerUnavailable(InfobaseError):
    exit_code = 150
    ru = "Сервер {place} недоступен: {detail}. Проверьте адрес и что сервер запущен (infobase server status)."
    en = "The server {place} is unavailable: {detail}. Check the address, and that the server runs (infobase server status)."


class SessionEnded(InfobaseError):
    exit_code = 151
    ru = "Сеанс завершён: {detail}. Подключитесь заново."
    en = "The session has ended: {detail}. Connect again."


class LoginThrottled(InfobaseError):
    exit_code = 152
    ru = "Слишком много неудачных попыток входа. Повторите через {seconds} с."
    en = "Too many failed logins. Try again in {seconds} s."


class RequestInvalid(InfobaseError):
    exit_code = 153
    ru = "Запрос к серверу не принят: {detail}."
    en = "The request was refused: {detail}."


class RequestTooLarge(InfobaseError):
    exit_code = 154
    ru = "Запрос больше разрешённых {limit} байт. Разделите его на части."
    en = "The request is larger than the allowed {limit} bytes. Split it."


class ServerNotInitialised(InfobaseError):
    exit_code = 155
    ru = "Сервер не создан ({place}): {detail}. Выполните infobase server init."
    en = "There is no server here ({place}): {detail}. Run infobase server init."


class ServerRunning(InfobaseError):
    exit_code = 156
    ru = "Сервер уже работает ({place}, процесс {pid})."
    en = "The server runs already ({place}, pid {pid})."


class ServerNotRunning(InfobaseError):
    exit_code = 157
    ru = "Сервер не работает ({place}). Запустите его: infobase server start."
    en = "The server does not run ({place}). Start it: infobase server start."


class ClusterLoginFailed(InfobaseError):
    exit_code = 158
    ru = "Неправильное имя или пароль администратора кластера (--cluster-user, INFOBASE_CLUSTER_PASSWORD)."
    en = "Wrong name or password of the cluster administrator (--cluster-user, INFOBASE_CLUSTER_PASSWORD)."


class ScheduledJobsDenied(InfobaseError):
    exit_code = 121
    ru = "Регламентные задания базы «{place}» запрещены администратором кластера. Разрешить: infobase server infobases update {place} --scheduled-jobs-deny off."
    en = "The cluster's administrator denies the scheduled jobs of {place!r}. To allow them: infobase server infobases update {place} --scheduled-jobs-deny off."


class NotOverTheWire(InfobaseError):
    """Something only the server itself may do, such as raw SQL."""

    exit_code = 159
    ru = "{what}: выполняется только на сервере, через сеанс Srvr= недоступно."
    en = "{what}: done at the server only, not through a session over Srvr=."


class CallInterrupted(InfobaseError):
    exit_code = 160
    ru = "Выполнение прервано администратором: {detail}. Изменения отменены."
    en = "The call was interrupted by the administrator: {detail}. Nothing was changed."


class TransactionExpired(InfobaseError):
    exit_code = 161
    ru = "Транзакция отменена сервером: {detail}. Повторите операцию целиком."
    en = "The server rolled the transaction back: {detail}. Repeat the whole operation."


class ServerBusy(InfobaseError):
    exit_code = 162
    ru = "Сервер занят: {detail}. Повторите позже."
    en = "The server is busy: {detail}. Try again later."


class SecretUnreadable(InfobaseError):
    exit_code = 163
    ru = "Секрет сервера не расшифрован ({place}): {detail}. Верните прежний файл ключа."
    en = "A secret of the server cannot be decrypted ({place}): {detail}. Bring the former key file back."


class ObjectLocked(InfobaseError):
    exit_code = 164
    ru = "Объект заблокирован для редактирования: {object}. Редактирует {holder} с {since}."
    en = "The object is locked for editing: {object}. Edited by {holder} since {since}."


class ServerSettingsInvalid(InfobaseError):
    exit_code = 165
    ru = "Настройки сервера {place}: {detail}."
    en = "Server settings {place}: {detail}."


class InfobaseNameInvalid(InfobaseError):
    exit_code = 166
    ru = "Имя базы в кластере «{name}» не годится: {detail}."
    en = "The infobase name {name!r} does not fit: {detail}."


class ServerRequirements(InfobaseError):
    exit_code = 167
    ru = "PostgreSQL не подходит серверу ({place}): {detail}."
    en = "PostgreSQL does not meet the server's needs ({place}): {detail}."


class ProtocolMismatch(InfobaseError):
    exit_code = 168
    ru = "Клиент и сервер разных версий: протокол {found}, нужен {expected}. Обновите программу."
    en = "Client and server are of different versions: protocol {found}, expected {expected}. Update the product."


class TransactionFailed(InfobaseError):
    """A work of several steps failed inside a larger transaction: a part of it is there, unchecked, and must not be committed."""

    exit_code = 175
    ru = "В данной транзакции уже происходили ошибки: {detail}. Отмените её и повторите операцию целиком."
    en = "Errors have already occurred in this transaction: {detail}. Roll it back and repeat the whole operation."

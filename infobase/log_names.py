"""How people read the event log: 1C's names of events, applications and severities in both languages."""

from __future__ import annotations

from infobase.i18n import Bilingual

EVENTS: dict[str, Bilingual] = {
    "_$Session$_.Start": Bilingual("Сеанс. Начало", "Session. Start"),
    "_$Session$_.Finish": Bilingual("Сеанс. Завершение", "Session. Finish"),
    "_$Session$_.Authentication": Bilingual("Сеанс. Аутентификация", "Session. Authentication"),
    "_$Session$_.AuthenticationError": Bilingual("Сеанс. Ошибка аутентификации", "Session. Authentication error"),
    "_$Data$_.New": Bilingual("Данные. Добавление", "Data. New"),
    "_$Data$_.Update": Bilingual("Данные. Изменение", "Data. Update"),
    "_$Data$_.Delete": Bilingual("Данные. Удаление", "Data. Delete"),
    "_$Data$_.Post": Bilingual("Данные. Проведение", "Data. Post"),
    "_$Data$_.Unpost": Bilingual("Данные. Отмена проведения", "Data. Unpost"),
    "_$Transaction$_.Begin": Bilingual("Транзакция. Начало", "Transaction. Begin"),
    "_$Transaction$_.Commit": Bilingual("Транзакция. Фиксация", "Transaction. Commit"),
    "_$Transaction$_.Rollback": Bilingual("Транзакция. Отмена", "Transaction. Rollback"),
    "_$InfoBase$_.DumpStart": Bilingual("Информационная база. Начало выгрузки", "Infobase. Dump started"),
    "_$InfoBase$_.DumpFinish": Bilingual("Информационная база. Окончание выгрузки", "Infobase. Dump finished"),
    "_$InfoBase$_.DumpError": Bilingual("Информационная база. Ошибка выгрузки", "Infobase. Dump failed"),
    "_$InfoBase$_.RestoreStart": Bilingual("Информационная база. Начало загрузки", "Infobase. Restore started"),
    "_$InfoBase$_.RestoreFinish": Bilingual("Информационная база. Окончание загрузки", "Infobase. Restore finished"),
    "_$InfoBase$_.RestoreError": Bilingual("Информационная база. Ошибка загрузки", "Infobase. Restore failed"),
    "_$InfoBase$_.ConfigUpdate": Bilingual(
        "Информационная база. Изменение конфигурации", "Infobase. Configuration changed"
    ),
    "_$InfoBase$_.DBConfigUpdate": Bilingual(
        "Информационная база. Изменение конфигурации базы данных", "Infobase. Database configuration changed"
    ),
    "_$InfoBase$_.EraseData": Bilingual("Информационная база. Удаление данных", "Infobase. Data erased"),
    "_$InfoBase$_.EventLogReduce": Bilingual(
        "Информационная база. Сокращение журнала регистрации", "Infobase. Event log reduced"
    ),
    "_$InfoBase$_.InfoBaseAdmParamsUpdate": Bilingual(
        "Информационная база. Изменение параметров информационной базы", "Infobase. Parameters changed"
    ),
    "_$InfoBase$_.TARInfo": Bilingual("Тестирование и исправление. Сообщение", "Verification and repair. Message"),
    "_$InfoBase$_.TARMess": Bilingual("Тестирование и исправление. Предупреждение", "Verification and repair. Warning"),
    "_$InfoBase$_.TARImportant": Bilingual("Тестирование и исправление. Ошибка", "Verification and repair. Error"),
    "_$Job$_.Start": Bilingual("Фоновое задание. Запуск", "Background job. Start"),
    "_$Job$_.Succeed": Bilingual("Фоновое задание. Успешное завершение", "Background job. Succeeded"),
    "_$Job$_.Fail": Bilingual("Фоновое задание. Ошибка выполнения", "Background job. Failed"),
    "_$Job$_.Cancel": Bilingual("Фоновое задание. Отмена", "Background job. Cancelled"),
    "_$Job$_.Terminate": Bilingual("Фоновое задание. Принудительное завершение", "Background job. Terminated"),
    "_$User$_.New": Bilingual("Пользователи. Добавление", "Users. New"),
    "_$User$_.Update": Bilingual("Пользователи. Изменение", "Users. Update"),
    "_$User$_.Delete": Bilingual("Пользователи. Удаление", "Users. Delete"),
    "_$Access$_.Access": Bilingual("Доступ. Доступ", "Access. Access"),
    "_$Access$_.AccessDenied": Bilingual("Доступ. Отказ в доступе", "Access. Denied"),
    "_$PerformError$_": Bilingual("Ошибка выполнения", "Runtime error"),
}
APPLICATIONS: dict[str, Bilingual] = {
    "Designer": Bilingual("Конфигуратор", "Designer"),
    "1CV8": Bilingual("Толстый клиент", "Thick client"),
    "1CV8C": Bilingual("Тонкий клиент", "Thin client"),
    "WebClient": Bilingual("Веб-клиент", "Web client"),
    "COMConnection": Bilingual("COM-соединение", "COM connection"),
    "WSConnection": Bilingual("Сеанс web-сервиса", "Web service session"),
    "BackgroundJob": Bilingual("Фоновое задание", "Background job"),
    "JobScheduler": Bilingual("Планировщик заданий", "Job scheduler"),
    "SrvrConsole": Bilingual("Консоль кластера", "Cluster console"),
    "RAS": Bilingual("Сервер администрирования", "Administration server"),
    "Debugger": Bilingual("Отладчик", "Debugger"),
}


def event_title(event: str) -> str:
    """An event as people read it; an unknown one by its own name."""
    return str(EVENTS.get(event, event))


def application_title(application: str) -> str:
    return str(APPLICATIONS.get(application, application))


def event_name(written: str) -> str:
    """The name of an event from what somebody wrote: the name itself, its last word, or how it reads in either language."""
    wanted = _plain(written)
    for name, title in EVENTS.items():
        if wanted in (_plain(name), _plain(title.ru), _plain(title.en)):
            return name
    return written


def _plain(words: str) -> str:
    return "".join(c for c in words.casefold() if c.isalnum())

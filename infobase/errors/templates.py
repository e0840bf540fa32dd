"""Of templates."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


class TemplateNotFound(InfobaseError):
    exit_code = 100
    ru = "Шаблон «{name}» не найден: {detail}. Список шаблонов: infobase template list"
    en = "Template {name!r} not found: {detail}. For the list of templates: infobase template list"


class TemplateAmbiguous(InfobaseError):
    exit_code = 101
    ru = "Под «{name}» подходит несколько шаблонов: {listing}. Укажите путь в дереве целиком, --template-version или сам файл."
    en = "Several templates fit {name!r}: {listing}. Give the whole path in the tree, --template-version, or the file itself."


class TemplateUnusable(InfobaseError):
    """A template that is listed but makes nothing: its file is missing, is an update, or is not of this product."""

    exit_code = 102
    ru = "Из шаблона {place} базу не создать: {detail}"
    en = "No infobase can be made from the template {place}: {detail}"


class PackageRefused(InfobaseError):
    exit_code = 103
    ru = "Комплект поставки {place} не принят: {detail}. Ничего не установлено."
    en = "The template package {place} was refused: {detail}. Nothing was installed."


class TemplateInstalled(InfobaseError):
    exit_code = 104
    ru = "Эта версия уже установлена: {place}. Чтобы заменить её, укажите --replace."
    en = "This version is installed already: {place}. Give --replace to replace it."


class TemplateRootUnusable(InfobaseError):
    exit_code = 105
    ru = "Каталог шаблонов {place} не годится: {detail}. Укажите другой ключом --root."
    en = "The template root {place} cannot be used: {detail}. Give another one with --root."


class TemplateFaulty(InfobaseError):
    exit_code = 106
    ru = "В шаблонах найдены ошибки: {count}"
    en = "Faults found in templates: {count}"


class PasswordRequired(InfobaseError):
    exit_code = 107
    ru = "База на сервере создаётся только с паролем администратора «{user}». Задайте его: --ask-password, --password-file или --password-env; без пароля - только с ключом --allow-empty-password."
    en = "A base on a server is made only with a password for the administrator {user!r}. Give one: --ask-password, --password-file or --password-env; without one only with --allow-empty-password."


class PackageNotBuilt(InfobaseError):
    exit_code = 108
    ru = "Комплект поставки не собран ({place}): {detail}"
    en = "The template package was not built ({place}): {detail}"

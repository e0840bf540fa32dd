"""Of users and rights."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


class LoginFailed(InfobaseError):
    exit_code = 60
    ru = "Неправильное имя пользователя или пароль."
    en = "Wrong user name or password."


class AccessDenied(InfobaseError):
    exit_code = 61
    ru = "Нарушение прав доступа: {right} - {object}. Обратитесь к администратору."
    en = "Access denied: {right} on {object}. Ask the administrator."


class UserInvalid(InfobaseError):
    exit_code = 62
    ru = "Пользователь «{name}»: {detail}"
    en = "User {name!r}: {detail}"


class SessionsBlocked(InfobaseError):
    exit_code = 63
    ru = "Начало сеанса запрещено: {detail}"
    en = "Starting sessions is blocked: {detail}"

"""Users of the base. Tokens of a user die with what they rested on."""

from __future__ import annotations

from collections.abc import Sequence

from engine_server.application import logins
from engine_server.application.calls.registry import Args, Context, call
from engine_server.wire import values


def _after_user_change(context: Context, name: str, reason: str) -> None:
    """Tokens of the user die with what they rested on."""
    tx = context.session._tx

    def end() -> None:
        context.base.forget_users()
        logins.end_of_user(context.cluster, context.base.record.id, name, reason)

    if tx is None:
        end()
    else:
        tx.after_commit(end)


@call()
def users_all(context: Context, args: Args) -> object:
    return values.encode(context.session.users.all())


@call(changes=True)
def users_add(context: Context, args: Args) -> object:
    made = context.session.users.add(
        args["name"],
        args["password"],
        _texts(args["roles"]),
        args.get("full_name", ""),
        allow_empty=args.get("allow_empty") is True,
    )
    _after_user_change(context, "", "rights")
    return values.encode(made)


@call(changes=True)
def users_remove(context: Context, args: Args) -> object:
    context.session.users.remove(args["name"])
    _after_user_change(context, args["name"], "rights")
    return None


@call(changes=True)
def users_set_password(context: Context, args: Args) -> object:
    allow = args.get("allow_empty") is True
    changed = context.session.users.set_password(args["name"], args["password"], allow_empty=allow)
    _after_user_change(context, changed.name, "password")
    return values.encode(changed)


@call(changes=True)
def users_set_roles(context: Context, args: Args) -> object:
    changed = context.session.users.set_roles(args["name"], _texts(args["roles"]))
    _after_user_change(context, changed.name, "rights")
    return values.encode(changed)


@call(changes=True)
def users_set_enabled(context: Context, args: Args) -> object:
    changed = context.session.users.set_enabled(args["name"], args["enabled"] is True)
    _after_user_change(context, changed.name, "rights")
    return values.encode(changed)


def _texts(given: Sequence[object]) -> list[str]:
    return [str(x) for x in given]

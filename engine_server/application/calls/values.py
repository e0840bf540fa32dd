"""Registers, constants, settings of the base and the registry of classifiers."""

from __future__ import annotations

from engine_server.application.calls.registry import Args, Context, call
from engine_server.wire import objects, values


@call(changes=True)
def register_write(context: Context, args: Args) -> object:
    records = [dict(r) for r in objects.rows_from_json(args["records"])]
    context.session.information_registers[args["register"]].write(records)
    return None


@call(changes=True)
def register_delete(context: Context, args: Args) -> object:
    context.session.information_registers[args["register"]].delete(values.decode(args["filter"]))
    return None


@call()
def constant_get(context: Context, args: Args) -> object:
    return values.encode(context.session.constants.get(str(args["name"])))


@call(changes=True)
def constant_set(context: Context, args: Args) -> object:
    context.session.constants.set(str(args["name"]), values.decode(args["value"]))
    return None


@call()
def setting_get(context: Context, args: Args) -> object:
    return context.session.settings.get(str(args["name"]))


@call(changes=True)
def setting_set(context: Context, args: Args) -> object:
    context.session.settings.set(str(args["name"]), str(args["value"]))
    return None


@call()
def classifiers_all(context: Context, args: Args) -> object:
    return values.encode(context.session.classifiers.all())


@call(changes=True)
def classifiers_register(context: Context, args: Args) -> object:
    context.session.access.demand_configuration("DataAdministration")
    given = {name: values.decode(args[name]) for name in ("kind", "version_date", "source", "sha256", "counts")}
    context.session.classifiers.register(**given)
    return None

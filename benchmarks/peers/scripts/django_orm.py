"""Django's ORM as a careful programmer uses it: the order and its lines are validated (`full_clean`), the rows nobody types are added in bulk."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import django
from django.conf import settings
from protocol import CUSTOMERS, LINES, PAGE, PRICE, PRODUCTS, QUANTITY, READ, serve, task

GIVEN = task()


def _database(name: str) -> dict:
    if GIVEN["engine"] == "server":
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "HOST": GIVEN["host"],
            "PORT": GIVEN["port"],
            "USER": GIVEN["user"],
        }
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }


PLACE = GIVEN["file"] if GIVEN["engine"] == "file" else GIVEN["database"]
settings.configure(
    DATABASES={"default": _database(PLACE), "restored": _database(PLACE + "_restored")},
    INSTALLED_APPS=["django_app"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=False,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connections, transaction  # noqa: E402
from django.db.models import F, Sum  # noqa: E402
from django_app.models import (  # noqa: E402
    Balance,
    Customer,
    Line,
    LogEntry,
    Number,
    Order,
    Product,
    SalesMovement,
    StockMovement,
    Turnover,
)


class Worker:
    def __init__(self) -> None:
        self.turn = 0

    def prepare(self) -> None:
        call_command("migrate", run_syncdb=True, verbosity=0)
        Customer.objects.bulk_create(Customer(name=f"Покупатель {n:04}") for n in range(CUSTOMERS))
        Product.objects.bulk_create(Product(name=f"Товар {n}") for n in range(PRODUCTS))
        Number.objects.create(name="order", last=0)
        self.customers = list(Customer.objects.order_by("id"))
        self.products = list(Product.objects.order_by("id")[:LINES])

    @transaction.atomic
    def post(self) -> None:
        now, amount = dt.datetime.now(), Decimal(QUANTITY * PRICE)
        customer = self.customers[self.turn % CUSTOMERS]
        self.turn += 1
        Number.objects.filter(name="order").update(last=F("last") + 1)
        last = Number.objects.get(name="order").last
        order = Order(number=f"{last:011}", date=now, customer=customer, amount=amount * LINES, posted=True)
        order.full_clean()
        order.save()
        for n, product in enumerate(self.products, 1):
            line = Line(
                order=order, line_number=n, product=product, quantity=QUANTITY, price=Decimal(PRICE), amount=amount
            )
            line.full_clean()
            line.save()
        same = {"period": now, "order": order, "quantity": QUANTITY, "amount": amount}
        SalesMovement.objects.bulk_create(SalesMovement(product=p, customer=customer, **same) for p in self.products)
        StockMovement.objects.bulk_create(StockMovement(product=p, **same) for p in self.products)
        Balance.objects.bulk_create(
            Balance(order=order, product=p, quantity=QUANTITY, amount=amount) for p in self.products
        )
        self._turnovers(customer, now.date().replace(day=1), amount)
        LogEntry.objects.create(at=now, event="Post", data=f"order:{order.pk}")

    def _turnovers(self, customer: Customer, month: dt.date, amount: Decimal) -> None:
        mine = Turnover.objects.filter(customer=customer, month=month, product__in=self.products)
        known = set(mine.values_list("product_id", flat=True))
        mine.update(quantity=F("quantity") + QUANTITY, amount=F("amount") + amount)
        Turnover.objects.bulk_create(
            Turnover(customer=customer, product=p, month=month, quantity=QUANTITY, amount=amount)
            for p in self.products
            if p.pk not in known
        )

    def read(self) -> int:
        """An order with its lines, as its form shows them."""
        self.turn += 1
        order = Order.objects.prefetch_related("lines").get(pk=1 + self.turn % READ)
        return len(order.lines.all())

    def list(self) -> int:
        found = Order.objects.select_related("customer").filter(date__lte=dt.datetime.now()).order_by("-date")[:PAGE]
        return len([(o.pk, o.number, o.date, o.customer.name, o.amount, o.posted) for o in found])

    def report(self) -> int:
        """What is to be shipped, by product."""
        sums = Balance.objects.values("product").annotate(Sum("quantity"), Sum("amount")).order_by()
        return len(list(sums))

    def facts(self) -> dict[str, int]:
        return {
            "orders": Order.objects.count(),
            "lines": Line.objects.count(),
            "movements": SalesMovement.objects.count() + StockMovement.objects.count(),
            "quantity": int(Balance.objects.aggregate(s=Sum("quantity"))["s"]),
            "amount": int(Turnover.objects.aggregate(s=Sum("amount"))["s"]),
        }

    def dump(self, target: str) -> None:
        call_command("dumpdata", "django_app", output=target, verbosity=0)

    def ready_to_load(self) -> None:
        call_command("migrate", run_syncdb=True, database="restored", verbosity=0)
        call_command("flush", database="restored", interactive=False, verbosity=0)

    def load(self, source: str) -> None:
        call_command("loaddata", source, database="restored", verbosity=0)

    def restored(self) -> int:
        return Order.objects.using("restored").count()

    def close(self) -> None:
        connections.close_all()


if __name__ == "__main__":
    serve(Worker())

"""The tables of the comparison, as a Django programmer models them."""

from __future__ import annotations

from django.db import models


def _money() -> models.DecimalField:
    return models.DecimalField(max_digits=15, decimal_places=2)


def _to(model: str) -> models.ForeignKey:
    return models.ForeignKey(model, models.PROTECT, related_name="+")


class Customer(models.Model):
    name = models.CharField(max_length=100)


class Product(models.Model):
    name = models.CharField(max_length=100)


class Number(models.Model):
    name = models.CharField(max_length=20, primary_key=True)
    last = models.IntegerField()


class Order(models.Model):
    number = models.CharField(max_length=11, unique=True)
    date = models.DateTimeField(db_index=True)
    customer = _to("django_app.Customer")
    amount = _money()
    posted = models.BooleanField()


class Line(models.Model):
    order = models.ForeignKey("django_app.Order", models.CASCADE, related_name="lines")
    line_number = models.IntegerField()
    product = _to("django_app.Product")
    quantity, price, amount = _money(), _money(), _money()


class SalesMovement(models.Model):
    period = models.DateTimeField(db_index=True)
    order, product, customer = _to("django_app.Order"), _to("django_app.Product"), _to("django_app.Customer")
    quantity, amount = _money(), _money()


class StockMovement(models.Model):
    period = models.DateTimeField(db_index=True)
    order, product = _to("django_app.Order"), _to("django_app.Product")
    quantity, amount = _money(), _money()


class Balance(models.Model):
    """What is to be shipped of each order."""

    order, product = _to("django_app.Order"), _to("django_app.Product")
    quantity, amount = _money(), _money()

    class Meta:
        unique_together = [("order", "product")]


class Turnover(models.Model):
    """What each customer ordered in each month."""

    customer, product = _to("django_app.Customer"), _to("django_app.Product")
    month = models.DateField()
    quantity, amount = _money(), _money()

    class Meta:
        unique_together = [("customer", "product", "month")]


class LogEntry(models.Model):
    at = models.DateTimeField()
    event = models.CharField(max_length=50)
    data = models.CharField(max_length=100)

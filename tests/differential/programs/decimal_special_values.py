from decimal import *
print(Decimal("Infinity") - 1, Decimal("NaN").is_nan(), Decimal("1.50").as_tuple(), Decimal(3.5).as_integer_ratio())
for f in (lambda: Decimal(1) / 0, lambda: Decimal("x"), lambda: Decimal("sNaN") + 1):
    try:
        f()
    except DecimalException as e:
        print(type(e).__name__)
print(Decimal("1.0") == Decimal("1"), hash(Decimal(2)) == hash(2), Decimal("0.1") == 0.1, sum([Decimal("0.1")] * 10))
print(Decimal(12345).logb(), Decimal("1e3").adjusted(), Decimal(5).compare(Decimal(7)), max(Decimal(1), Decimal(2)))

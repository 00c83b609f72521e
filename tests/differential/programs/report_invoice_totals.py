from decimal import Decimal, ROUND_HALF_UP
items = [("pen", 3, "1.235"), ("book", 1, "19.99"), ("cable", 2, "4.505")]
total = sum(((Decimal(p) * q).quantize(Decimal("0.01"), ROUND_HALF_UP) for _, q, p in items), Decimal(0))
for n, q, p in items: print(f"{n:<8}{q:>3} x {Decimal(p):>8} = {(Decimal(p) * q).quantize(Decimal('0.01'), ROUND_HALF_UP):>8}")
vat = (total * Decimal("0.19")).quantize(Decimal("0.01")); print(total, vat, total + vat)

from decimal import Decimal, getcontext, ROUND_HALF_UP, ROUND_HALF_EVEN, localcontext
print(Decimal("0.1") + Decimal("0.2"), Decimal(1) / Decimal(3), Decimal("1.10") * 2)
print(Decimal("2.675").quantize(Decimal("0.01"), ROUND_HALF_UP), Decimal("2.5").quantize(Decimal("1"), ROUND_HALF_EVEN))
with localcontext() as c:
    c.prec = 50
    print(Decimal(2).sqrt(), Decimal(1).exp())
print(Decimal("123.4500").normalize(), Decimal("1E+5"), f"{Decimal('1234567.891'):,.2f}", Decimal("-0"))
print(Decimal("7") // 2, Decimal("-7") % 3, divmod(Decimal(7), 2), Decimal(10) ** 30, Decimal("3.7").to_integral_value())

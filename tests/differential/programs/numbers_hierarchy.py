import numbers, decimal, fractions
for v in (1, 1.5, 1j, True, decimal.Decimal(1), fractions.Fraction(1, 2), "x"):
    print(type(v).__name__, [n for n in ("Number", "Complex", "Real", "Rational", "Integral") if isinstance(v, getattr(numbers, n))])
print((1.5).__class__.__mro__[-1], numbers.Integral.register, callable(round)) if False else print(round(1.5), round(fractions.Fraction(3, 2)), 1 + fractions.Fraction(1, 2), 1.5 + fractions.Fraction(1, 2))

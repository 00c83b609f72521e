from fractions import Fraction
print(Fraction(1, 3) + Fraction(1, 6), Fraction("3.25"), Fraction(0.5), Fraction(7, -21), Fraction(3, 4) ** 2)
print(Fraction(22, 7).limit_denominator(5), float(Fraction(1, 8)), Fraction(10, 4).numerator, round(Fraction(7, 3), 2))
print(Fraction(7, 2) // 1, Fraction(7, 2) % 1, sorted([Fraction(1, 2), Fraction(1, 3)]), Fraction(1, 2) == 0.5)
try:
    Fraction(1, 0)
except ZeroDivisionError as e:
    print(e)

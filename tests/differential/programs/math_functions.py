import math
print(math.gcd(12, 18, 27), math.lcm(4, 6), math.comb(10, 3), math.perm(5, 2), math.factorial(20), math.isqrt(99))
print(math.fsum([0.1] * 10), math.prod([1, 2, 3, 4]), math.hypot(3, 4), math.dist([0, 0], [1, 1]))
print(math.floor(-1.5), math.ceil(-1.5), math.trunc(-1.5), math.copysign(1, -0.0), math.fmod(-7, 3), math.remainder(7, 4))
print(math.isclose(0.1 + 0.2, 0.3), math.isinf(math.inf), math.nan != math.nan, math.frexp(8.0), math.ldexp(0.5, 4), math.modf(3.25))
print(round(math.sin(1), 12), round(math.log(10), 12), math.log2(8), math.log10(1000), round(math.gamma(5), 9), round(math.erf(1), 10))
for f in (lambda: math.sqrt(-1), lambda: math.log(0), lambda: math.factorial(-1)):
    try:
        f()
    except ValueError as e:
        print(type(e).__name__)

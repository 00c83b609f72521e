def roman(n):
    out = ""
    for v, s in ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):
        while n >= v: out += s; n -= v
    return out
print([roman(n) for n in (1994, 2024, 49)]); import string
def base(n, b): return (base(n // b, b) if n >= b else "") + (string.digits + string.ascii_lowercase)[n % b]
print(base(255, 2), base(255, 16), base(12345, 36), int(base(12345, 36), 36))

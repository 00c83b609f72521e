print(0.1 + 0.2, 1e16 + 1, 1 / 3, 1e308 * 10, -0.0, 5e-324, 2.0 ** 0.5, 7.0 // 2, -7.5 % 2, float("1e-5"), float("  inf "), 1e22, 1e21, 123456789.123456789)
print((0.1).hex(), float.fromhex("0x1.8p1"), (0.5).as_integer_ratio(), (2.0).is_integer(), round(2.675, 2), round(1e15 + 0.5), repr(1e100), str(1.0), format(1.5, ".0f"), format(2.5, ".0f"), f"{0.1:.20f}")
print(float("nan") == float("nan"), float("inf") > 10**400, int(-3.9), 3.0 == 3, hash(1.0) == hash(1), 1e400, sum([0.1] * 3), min(0.0, -0.0), 9007199254740993.0, 0.1 + 0.7)
for f in (lambda: int(float("nan")), lambda: int(float("inf")), lambda: 1.0 / 0, lambda: 10.0 ** 400):
    try: f()
    except (ValueError, OverflowError, ZeroDivisionError) as e: print(type(e).__name__)

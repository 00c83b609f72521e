print(2**200, -7 // 2, -7 % 3, divmod(-7, 2), pow(3, 100, 7), pow(3, -1, 7), int("ff", 16), int("0b101", 0), 0o17, 1_000, round(12345, -2), round(-2.5), round(3.5))
print((255).to_bytes(2, "big"), int.from_bytes(b"\xff\xfe", "little", signed=True), (10).bit_length(), (0b1011).bit_count(), ~5, 5 & 3, 5 | 3, 5 ^ 3, 1 << 70, -1 >> 3, hex(-255), bin(10), oct(8))
print(10**50 // 3, (10**50) % 97, int(1e20), 7 .__mul__(6), bool(0), True + True, isinstance(True, int), int("  12 "), abs(-5), max(3, 7, key=lambda x: -x), sum(range(101)), (5).as_integer_ratio(), int("١٢"))
for bad in ("", "1.5", "0x", "1__0", "z"):
    try: int(bad)
    except ValueError as e: print(e)
print(hash(2**61 - 1) in (0, 2**61 - 1, hash(2**61 - 1)), 3 ** 0.5, 2 ** -1, 0 ** 0, -2 ** 2)

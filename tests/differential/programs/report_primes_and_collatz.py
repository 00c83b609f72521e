def sieve(n):
    s = bytearray([1]) * (n + 1); s[:2] = b"\0\0"
    for i in range(2, int(n ** 0.5) + 1):
        if s[i]: s[i * i::i] = bytes(len(range(i * i, n + 1, i)))
    return [i for i, p in enumerate(s) if p]
print(len(sieve(10000)), sieve(50)); n, c = 27, 0
while n != 1: n, c = (n // 2 if n % 2 == 0 else 3 * n + 1), c + 1
print(c)

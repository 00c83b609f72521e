from functools import lru_cache
@lru_cache(None)
def ways(n, coins): return 1 if n == 0 else 0 if n < 0 or not coins else ways(n - coins[0], coins) + ways(n, coins[1:])
print(ways(100, (50, 25, 10, 5, 1)), ways(200, (200, 100, 50, 20, 10, 5, 2, 1)))

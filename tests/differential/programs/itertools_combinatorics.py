from itertools import *
print(list(permutations("abc", 2)), list(combinations(range(4), 2)), list(combinations_with_replacement("ab", 2)))
print(list(product("ab", [1, 2])), list(chain("ab", [1])), list(chain.from_iterable([[1], [2, 3]])))
print(list(accumulate([1, 2, 3, 4])), list(accumulate([3, 1, 2], max, initial=0)), list(pairwise("abcd")))
print(list(zip_longest("abc", "x", fillvalue="-")), list(compress("abcd", [1, 0, 1, 0])), list(starmap(pow, [(2, 3), (3, 2)])))

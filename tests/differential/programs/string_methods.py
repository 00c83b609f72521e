s = "Hello, World"
print(s.partition(","), s.rpartition("o"), s.split(", "), "a,b,,c".rsplit(",", 1), "a\nb\r\nc".splitlines(), s.swapcase())
print("x".center(7, "*"), "7".zfill(3), "-7".zfill(4), "ab".ljust(4) + "|", "abc".translate({97: "A", 98: None}), s.casefold())
print("straße".upper(), "ǆ".title(), "abc".isalpha(), "²".isdigit(), "²".isdecimal(), "½".isnumeric(), "a1".isalnum(), " ".isspace(), "Ab".istitle())
print("prefix-x".removeprefix("prefix-"), "x.py".removesuffix(".py"), "aaa".replace("a", "b", 2), "abcabc".find("c", 3), "abc".index("b"), "a-b_c".split("_"))
print(str.maketrans("ab", "xy", "z"), "%s %d %05.1f %x %r %%" % ("a", 3, 2.25, 255, "q"), "tab\tx".expandtabs(4), "{:>{w}}".format("r", w=5))

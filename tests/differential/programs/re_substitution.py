import re
print(re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"))
print(re.sub(r"\d+", lambda m: str(int(m[0]) * 2), "1 a 22 b 333"))
print(re.subn("a", "b", "banana", count=2))
print(re.sub(r"(?i)HELLO", "x", "Hello hELLO"), re.escape("a.b*c[d]"))
print(re.sub(r"(?<=a)b(?!c)", "X", "abc abd ab"))

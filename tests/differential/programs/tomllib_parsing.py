import tomllib
print(tomllib.loads('''
title = "x"
[owner]
dob = 1979-05-27T07:32:00-08:00
n = [1, 2, [3.5, true]]
"quoted key" = 'lit\\n'
[[items]]
a.b = 1
[[items]]
hex = 0xff
d = 2024-01-02
m = """
multi"""
'''))
for bad in ("a = ", "a = 1\na = 2", "[x"):
    try: tomllib.loads(bad)
    except tomllib.TOMLDecodeError as e: print(type(e).__name__)

tests = ["[][1]", "{}['k']", "1 + 'a'", "int('x')", "None.x", "(1).foo", "len(5)", "'a' + 1", "undefined", "[1,2].index(9)", "'abc'.index('z')", "1/0", "5 % 0", "float('x')", "[].pop()", "set().pop()", "next(iter([]))", "ord('ab')", "chr(-1)", "(lambda a: a)()", "1 < 'a'", "for_ in 5", "int([])"]
for t in tests:
    try: eval(t)
    except Exception as e: print(t, "->", type(e).__name__)
for s in ("x =", "def f(:", "a b", "if x\n pass", "return 1", "'open", "(", "f(**a, *b)", "  x = 1", "class"):
    try: compile(s, "s", "exec")
    except SyntaxError as e: print(repr(s), type(e).__name__, e.lineno)

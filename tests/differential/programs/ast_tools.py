import ast
t = ast.parse("x = 1 + 2 * y\ndef f(a, *b, c=3, **d): return a if c else b")
print([type(n).__name__ for n in t.body], ast.unparse(t), sorted({n.id for n in ast.walk(t) if isinstance(n, ast.Name)}))
print(ast.literal_eval("{'a': [1, (2, 3)], 'b': {4}}"), ast.dump(ast.parse("a+b", mode="eval").body.op))
class R(ast.NodeTransformer):
    def visit_Constant(self, n): return ast.copy_location(ast.Constant(n.value * 10), n)
print(eval(compile(ast.fix_missing_locations(R().visit(ast.parse("1 + 2", mode="eval"))), "x", "eval")))
for bad in ("__import__('os')", "a + 1"):
    try: ast.literal_eval(bad)
    except ValueError as e: print("ValueError")
print(ast.get_docstring(ast.parse('"""doc"""')), ast.parse("a\nbb").body[1].col_offset, ast.parse("a\nbb").body[1].lineno)

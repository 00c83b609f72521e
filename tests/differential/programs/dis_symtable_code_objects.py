import dis, symtable, code, codeop
print("RETURN_VALUE" in {i.opname for i in dis.get_instructions(lambda: x)} or True, [c.get_parameters() for c in symtable.symtable("def f(a):\n global g\n return a", "s", "exec").get_children() if c.get_name() == "f"], codeop.compile_command("if 1:") is None, codeop.compile_command("1") is not None)
def f(a, *b): c = a; return lambda: c
print(f.__code__.co_cellvars, f.__code__.co_argcount, f(1).__code__.co_freevars, f.__code__.co_name, f.__code__.co_firstlineno)

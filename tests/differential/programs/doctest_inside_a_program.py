import doctest, io, contextlib
def add(a, b):
    """
    >>> add(1, 2)
    3
    >>> add("a", 1)
    Traceback (most recent call last):
    TypeError: can only concatenate str (not "int") to str
    >>> print([1,
    ...        2])
    [1, 2]
    """
    return a + b
r = doctest.run_docstring_examples; print(doctest.testmod().failed, len(doctest.DocTestFinder().find(add)[0].examples)); out = io.StringIO()
with contextlib.redirect_stdout(out): r(add, {"add": lambda a, b: 0})
print("Expected:" in out.getvalue())

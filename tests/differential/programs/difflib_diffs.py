import difflib
a, b = "one two three four".split(), "one 2 three 4".split()
print("\n".join(difflib.unified_diff(a, b, "a", "b", lineterm="")))
print(difflib.get_close_matches("appel", ["ape", "apple", "peach"]), round(difflib.SequenceMatcher(None, "abcd", "bcde").ratio(), 4))
print(list(difflib.ndiff(["a"], ["b"])), difflib.SequenceMatcher(None, "qabxcd", "abycdf").get_opcodes())
print("\n".join(difflib.context_diff(a, b, lineterm="")))

import graphlib
print(list(graphlib.TopologicalSorter({"d": {"b", "c"}, "b": {"a"}, "c": {"b"}}).static_order()))
ts = graphlib.TopologicalSorter({"x": ["y"]}); ts.add("z", "x"); ts.prepare()
while ts.is_active():
    ready = sorted(ts.get_ready()); print(ready); ts.done(*ready)
try: list(graphlib.TopologicalSorter({"a": ["b"], "b": ["a"]}).static_order())
except graphlib.CycleError as e: print(sorted(set(e.args[1])))

import pprint
data = {"name": "x" * 30, "list": list(range(30)), "nested": {"b": [{"c": 1}, {"d": "e" * 40}], "a": (1,)}}
pprint.pprint(data, width=50)
print(pprint.pformat([{"z": 1, "a": 2}], sort_dicts=False), pprint.pformat({"b": 1, "a": 2}), pprint.saferepr([1]), pprint.isreadable(data))
pprint.pprint([[[[1]]]], depth=2); pprint.pp({"b": 1, "a": 2})

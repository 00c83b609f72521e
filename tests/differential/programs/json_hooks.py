import json, decimal
print(json.loads('{"a": 1.10, "b": [2, {"c": 3}]}', parse_float=decimal.Decimal, object_pairs_hook=list))
class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, set):
            return sorted(o)
        return super().default(o)
print(json.dumps({"s": {3, 1, 2}}, cls=Encoder))
print(json.dumps({1: "a", None: 2, True: 3, 1.5: 4}))
print(json.dumps({(1, 2): 3, "x": 4}, skipkeys=True))
try:
    json.dumps(object())
except TypeError as e:
    print(e)

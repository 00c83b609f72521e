import json
data = {"a": [1, 2.5, None, True], "é": "ü\n\t\"", "n": {"x": {}}}
text = json.dumps(data, sort_keys=True)
print(text)
print(json.loads(text) == data)
print(json.dumps(data, indent=2, ensure_ascii=False))
print(json.dumps([1, 2, {"a": 3}], separators=(",", ":")))

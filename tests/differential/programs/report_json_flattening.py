import json
def flat(v, path=""):
    if isinstance(v, dict):
        for k, x in v.items(): yield from flat(x, f"{path}.{k}" if path else k)
    elif isinstance(v, list):
        for i, x in enumerate(v): yield from flat(x, f"{path}[{i}]")
    else: yield path, v
data = json.loads('{"a": {"b": [1, {"c": null}]}, "d": true, "e": []}')
print(dict(flat(data)), max(len(p) for p, _ in flat(data)))

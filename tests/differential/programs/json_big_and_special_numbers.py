import json, math
print(json.loads("123456789012345678901234567890"), json.dumps(2**100))
print(json.dumps([float("inf"), float("-inf")]), math.isnan(json.loads("NaN")))
print(json.loads("-0"), json.loads("-0.0"), json.loads("1e3"), json.loads("1E-2"))
try:
    json.dumps(float("nan"), allow_nan=False)
except ValueError as e:
    print(type(e).__name__)

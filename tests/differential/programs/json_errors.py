import json
for text in ["{", '{"a" 1}', "nul", '"\\x"', "", "[1] 2"]:
    try:
        json.loads(text)
    except json.JSONDecodeError as e:
        print(type(e).__name__, e.lineno, e.colno, e.pos)

import io, tokenize, token, keyword
src = "def f(x):\n    return x + 1  # note\n"
for t in tokenize.generate_tokens(io.StringIO(src).readline):
    print(token.tok_name[t.type], repr(t.string), t.start)
print(keyword.iskeyword("lambda"), "match" in keyword.softkwlist, tokenize.untokenize(tokenize.generate_tokens(io.StringIO(src).readline)) == src)

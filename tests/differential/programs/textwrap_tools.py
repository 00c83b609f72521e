import textwrap
text = "The quick brown fox jumps over the lazy dog. " * 2
print(textwrap.fill(text, 30))
print(textwrap.wrap(text, 20, initial_indent="* ", subsequent_indent="  "))
print(textwrap.dedent("""
    a
      b
    c
"""), textwrap.indent("x\n\ny", "> "), textwrap.shorten(text, 25, placeholder="..."))

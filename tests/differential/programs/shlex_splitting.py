import shlex
print(shlex.split("a 'b c' \"d \\\" e\" f\\ g # not comment"), shlex.quote("it's"), shlex.join(["a b", "c"]), shlex.split("x # y", comments=True))
try: shlex.split("'open")
except ValueError as e: print(e)
print(list(shlex.shlex("a=b;c", punctuation_chars=True)))

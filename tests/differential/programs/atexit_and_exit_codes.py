import atexit, sys
atexit.register(print, "second"); atexit.register(lambda: print("first")); f = atexit.register(print, "never"); atexit.unregister(print) if False else None
try: sys.exit(3)
except SystemExit as e: print("code", e.code)
try: exit("bye")
except SystemExit as e: print("code", e.code)
print(sys.argv[1:], __name__, __doc__, sys.maxunicode, sys.byteorder)

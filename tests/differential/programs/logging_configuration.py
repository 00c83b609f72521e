import io, logging, logging.handlers
out = io.StringIO()
h = logging.StreamHandler(out); h.setFormatter(logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
log = logging.getLogger("app.db"); root = logging.getLogger("app"); root.addHandler(h); root.setLevel(logging.INFO); root.propagate = False
log.debug("no"); log.info("x=%d", 5); log.warning("w"); root.error("e", extra={"k": 1})
class F(logging.Filter):
    def filter(self, r): return "secret" not in r.getMessage()
h.addFilter(F()); log.info("secret"); log.info("plain")
try: 1 / 0
except ZeroDivisionError: log.exception("failed")
text = out.getvalue(); print(text.split("Traceback")[0], "ZeroDivisionError: division by zero" in text)
print(log.getEffectiveLevel(), logging.getLevelName(30), log.isEnabledFor(10), logging.getLogger("app.db") is log)
m = logging.handlers.MemoryHandler(10, target=h); m.emit(logging.LogRecord("n", 20, "p", 1, "buffered %s", ("a",), None)); m.flush(); print(out.getvalue().splitlines()[-1])

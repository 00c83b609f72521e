import locale
print(locale.setlocale(locale.LC_ALL, "C"), locale.format_string("%.2f", 1234.5, grouping=True), locale.str(1.5), locale.atof("1.5"), locale.localeconv()["decimal_point"], locale.strcoll("a", "b") < 0, locale.normalize("en_us"))

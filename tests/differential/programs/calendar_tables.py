import calendar
print(calendar.month(2024, 2))
print(calendar.isleap(2000), [*map(int, calendar.monthrange(2023, 2))], calendar.weekday(2024, 1, 1), calendar.leapdays(2000, 2024), list(calendar.month_abbr)[1:4])
print(calendar.TextCalendar(6).formatmonth(2024, 9), list(calendar.Calendar().itermonthdays(2024, 2))[:6], calendar.timegm((1970, 1, 2, 0, 0, 0)))

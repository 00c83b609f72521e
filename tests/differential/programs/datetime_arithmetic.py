from datetime import date, datetime, timedelta, timezone
d = datetime(2024, 2, 28, 23, 30)
print(d + timedelta(hours=1), d + timedelta(days=2), date(2024, 3, 1) - date(2023, 3, 1))
print((datetime(2024, 1, 1) - d).total_seconds(), timedelta(days=-1, seconds=5), timedelta(weeks=1) / 2)
print(divmod(timedelta(hours=25), timedelta(hours=2)), abs(timedelta(-3)), timedelta(microseconds=1234567))
print(d.replace(month=12), d.isocalendar(), d.timetuple().tm_yday, date.fromordinal(738000))
print(sorted([date(2024, 5, 1), date(2023, 5, 1)]), date.max, datetime.min)

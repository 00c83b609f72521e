from datetime import date, timedelta
d, n = date(2024, 3, 28), 0
holidays = {date(2024, 3, 29), date(2024, 4, 1)}
while n < 5:
    d += timedelta(days=1)
    if d.weekday() < 5 and d not in holidays: n += 1; print(d, d.strftime("%A"))
print((date(2024, 12, 25) - date(2024, 3, 28)).days // 7)

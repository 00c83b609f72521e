"""What does each user owe in all, highest first?"""

totals = []
for user in call_tool("orders.list_users"):
    discount = call_tool("orders.get_discount_rate", tier=user["tier"])
    tax = call_tool("orders.get_tax_rate", region=user["region"])
    lines = call_tool("orders.get_orders_for_user", user_id=user["id"])
    total = sum(
        call_tool(
            "orders.compute_line_total",
            qty=line["qty"],
            unit_price=line["unit_price"],
            discount_rate=discount,
            tax_rate=tax,
        )
        for line in lines
    )
    print(f"{user['name']}: {len(lines)} lines, {total:.2f}")
    totals.append((user["name"], round(total, 2)))

sorted(totals, key=lambda entry: entry[1], reverse=True)

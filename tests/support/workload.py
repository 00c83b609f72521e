"""The orders workload as plain functions, and programs that call them, for `performance/peers.py`."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHOP = json.loads((Path(__file__).parents[2] / "examples" / "orders.json").read_text(encoding="utf-8"))

PAUSE_S = 1.5

ORDERS = """
totals = []
for user in call_tool("list_users"):
    discount = call_tool("get_discount_rate", tier=user["tier"])
    tax = call_tool("get_tax_rate", region=user["region"])
    total = 0
    for line in call_tool("get_orders_for_user", user_id=user["id"]):
        total += call_tool("compute_line_total", qty=line["qty"], unit_price=line["unit_price"],
                           discount_rate=discount, tax_rate=tax)
    totals.append((user["name"], round(total, 2)))
print(sorted(totals, key=lambda entry: entry[1], reverse=True)[0])
"""
FIRST = "('Diana', 104.4)"

TEN_SLOW = "for i in range(10): call_tool('wait')"
TEN_SLOW_AT_ONCE = "import asyncio\nawait asyncio.gather(*[call_tool_async('wait') for i in range(10)])"


def list_users() -> list[dict[str, Any]]:
    """All users."""
    return list(SHOP["users"])


def get_orders_for_user(user_id: int) -> list[dict[str, Any]]:
    """The order lines of one user."""
    return list(SHOP["orders"][str(user_id)])


def get_discount_rate(tier: str) -> float:
    """The share that a tier gets off."""
    return float(SHOP["discount_rates"][tier])


def get_tax_rate(region: str) -> float:
    """The share that a region puts on."""
    return float(SHOP["tax_rates"][region])


def compute_line_total(qty: int, unit_price: float, discount_rate: float, tax_rate: float) -> float:
    """What one line costs."""
    return qty * unit_price * (1 - discount_rate) * (1 + tax_rate)


def wait() -> None:
    """Takes 100 ms."""
    time.sleep(0.1)


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    list_users,
    get_orders_for_user,
    get_discount_rate,
    get_tax_rate,
    compute_line_total,
    wait,
)

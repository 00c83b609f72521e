"""A small shop as an MCP server over stdio: the downstream server of `codeact-mcp demo`. Run it with `python`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field, TypeAdapter


@dataclass(frozen=True)
class User:
    id: int
    name: str
    region: str
    tier: str


@dataclass(frozen=True)
class OrderLine:
    product: str
    qty: int
    unit_price: float


@dataclass(frozen=True)
class Shop:
    users: list[User]
    orders: dict[int, list[OrderLine]]
    discount_rates: dict[str, float]
    tax_rates: dict[str, float]


SHOP = TypeAdapter(Shop).validate_json(Path(__file__).with_name("orders.json").read_bytes())

READ_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)
"""Every tool here only looks things up, so a program may call it without asking anybody."""

server = MCPServer("orders", instructions="Users, their orders, and what is taken off and put on the price.")


@server.tool(annotations=READ_ONLY)
def list_users() -> list[User]:
    """All users, each with id, name, region and tier."""
    return SHOP.users


@server.tool(annotations=READ_ONLY)
def get_orders_for_user(user_id: int) -> list[OrderLine]:
    """The order lines of one user, each with product, qty and unit_price."""
    return known(SHOP.orders, user_id, "user")


@server.tool(annotations=READ_ONLY)
def get_discount_rate(tier: str) -> float:
    """The share that a tier gets off: 0.2 is 20 %."""
    return known(SHOP.discount_rates, tier, "tier")


@server.tool(annotations=READ_ONLY)
def get_tax_rate(region: str) -> float:
    """The tax of a region, as a share of the discounted price: 0.21 is 21 %."""
    return known(SHOP.tax_rates, region, "region")


Share = Annotated[float, Field(ge=0, le=1)]


@server.tool(annotations=READ_ONLY)
def compute_line_total(
    qty: Annotated[int, Field(ge=0)], unit_price: Annotated[float, Field(ge=0)], discount_rate: Share, tax_rate: Share
) -> float:
    """What one order line costs after discount and tax, in whole cents."""
    return round(qty * unit_price * (1 - discount_rate) * (1 + tax_rate), 2)


Name = TypeVar("Name")
Value = TypeVar("Value")


def known(table: dict[Name, Value], name: Name, what: str) -> Value:
    if name not in table:
        raise ToolError(f"no {what} {name!r}; there are {', '.join(map(repr, table))}")
    return table[name]


if __name__ == "__main__":
    server.run("stdio")

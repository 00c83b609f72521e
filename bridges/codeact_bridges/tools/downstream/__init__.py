"""The downstream servers: connection, health, tool list, results."""

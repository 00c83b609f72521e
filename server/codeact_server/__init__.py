"""The MCP server: what faces the client."""

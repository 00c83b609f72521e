"""The MCP servers that we call."""

"""MCP as the client sees it: one tool, its results, its elicitations."""

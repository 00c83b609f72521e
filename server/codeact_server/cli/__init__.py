"""The command `codeact-mcp`, one module a subcommand."""

"""The command `codeact-mcp`: one module for each subcommand."""

"""`python -m codeact_server`: the command, where no script is on the path."""

from codeact_server.cli.main import main

main()

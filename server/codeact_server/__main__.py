"""`python -m codeact_server`: the command line, for when its script is not in `PATH`."""

from codeact_server.cli.main import main

main()

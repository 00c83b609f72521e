"""`codeact-mcp` for which every answer is too fast for a person: `python patient.py serve …`.

Clients without a person answer within some milliseconds, and are known by that. On a busy machine they take longer.
"""

import math
import os
import sys

from codeact_server.front.start import Start

if __name__ == "__main__":
    start = Start.begin(sys.argv[1:], os.environ)
    from codeact_server.cli.commands import cli
    from codeact_server.protocol import elicitation

    elicitation.FASTEST_PERSON_S = math.inf
    cli(obj=start)

"""Runs an MCP server whose tools Claude Code does not load by itself: `python deferred.py COMMAND …`.

The messages go unchanged but for `anthropic/alwaysLoad`, which becomes false. Standard library only.
"""

import re
import subprocess
import sys

if __name__ == "__main__":
    with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for line in child.stdout:
            sys.stdout.buffer.write(re.sub(rb'("anthropic/alwaysLoad": ?)true', rb"\1false", line))
            sys.stdout.buffer.flush()

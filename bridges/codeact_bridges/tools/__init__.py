"""The tools bridge: what the guest may call, and the connections to the downstream servers that answer."""

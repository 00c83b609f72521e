"""The modules bridge: modules that the guest can import and that are not in its image."""

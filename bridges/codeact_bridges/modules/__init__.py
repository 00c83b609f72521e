"""The modules bridge: what the guest may import beyond its image."""

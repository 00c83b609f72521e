"""The network bridge: HTTP for the guest, only to where the operator's rules allow."""

"""Authentication with downstream servers, and the storage of secrets."""

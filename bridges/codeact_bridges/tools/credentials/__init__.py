"""How we log in to downstream servers, and where that is stored."""

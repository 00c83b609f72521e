"""One run, from its order to its result, and those that outlive their request."""

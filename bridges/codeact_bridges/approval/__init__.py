"""Who decides about a tool call: policy, then a person."""

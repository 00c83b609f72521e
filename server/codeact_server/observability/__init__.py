"""Records of runs for the operator."""

"""Changes: plans that can be previewed, runs that can be stopped and resumed, and a journal of each token's outcome."""

"""Where text comes from and what it earns: tasks with known optima, log generators, raters."""

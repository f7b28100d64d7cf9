"""Optional parts, each for the users of one library: that library loads them, nothing else of indrik does."""

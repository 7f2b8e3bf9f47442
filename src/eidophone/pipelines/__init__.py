"""One page a verb: which parts it is made of and in which order they run."""

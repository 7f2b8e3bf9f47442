"""Bad inputs over all verbs, made from a seed: `python -m tests.fuzz --seed 1 --count 2000`."""

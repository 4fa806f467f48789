"""The pure core: values and decisions. No I/O, clock, randomness, environment or logging; `now` and `jitter` are arguments."""

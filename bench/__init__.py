"""The product measured beside a baseline of the same run. `./dev bench [NAME…]` writes docs/benchmarks.md."""

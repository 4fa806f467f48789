"""`python -m ytwatcher` is the same as `ytwatcher`."""

from ytwatcher.cli import main

if __name__ == "__main__":
    main()

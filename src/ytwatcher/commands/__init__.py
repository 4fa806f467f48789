"""The commands, one module each with its `app`; imported only when the command is called."""

"""One module for each topic that people talk with the bot about."""

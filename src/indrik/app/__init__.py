"""The application side of the master: reading the configuration, finding and loading the application."""

"""What the options of a command line name: a database or an API, announced once, production or not."""

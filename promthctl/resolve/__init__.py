"""What the options of a command line name: a database or an API, announced once, production or not.

choice      the four options
database    → a Target, ready to connect to
api         → an ApiTarget with its keys
production  whether it is production, and the line that announces it
"""

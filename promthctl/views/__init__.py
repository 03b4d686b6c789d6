"""How results look to people, one module for each command group.

Each function takes a result and yields lines and tables; output.py prints them.
"""

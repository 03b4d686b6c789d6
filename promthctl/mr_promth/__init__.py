"""What belongs to the Mr.Promth app alone.

migrations/   its schema, NNN_name.sql with NNN_name.down.sql
api_keys.sql  its table for API keys, for other projects
project       what `promthctl init` adds to a project
lifecycle     what it does with its rows, tried by `verify`
public        what it shows to everybody on purpose
vanchin       VanchinAI, the provider of its fourteen agents
"""

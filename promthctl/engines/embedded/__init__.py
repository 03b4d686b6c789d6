"""The embedded engine: PostgreSQL and our API server as two detached processes of this machine, loopback only.

engine              what `local up`, `down` and the others do here
which_postgres      the server that the project uses: one that promthctl brings along, or an installed one
cluster             the data directory and its server: template, passwords, start and stop
default_privileges  what new tables in public are open to
system_user         who runs PostgreSQL when promthctl is root
api                 the API server: server.mjs on Node.js
records             what is remembered of a project, its generated keys and passwords among it
logs                the log files of both
bootstrap/          the SQL that makes a database look like Supabase
"""

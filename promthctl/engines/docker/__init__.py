"""The Docker engine: the official stack, by the real `supabase start`, watched and explained through the Docker SDK.

engine      what `local up`, `down` and the others do here
planning    the stack as it should be: services, ports, address
preflight   what would stop a start, found before anything is pulled
images      which are needed, which are here, pulling the others
starting    the network, `supabase start`, and a roll-back
watching    the containers while it starts
diagnosis   why a service did not start
stopping    stopping the stack, removing its data
project     its name on Docker, its records, daemon and containers
ownership   whose a database is
records     what is remembered of a stack
daemon      where Docker listens, and whether it answers
containers  containers and volumes, as the daemon reports them
services    the services, and the CLI's names for them
network     the network that publishes the ports
logs        what the containers write
"""

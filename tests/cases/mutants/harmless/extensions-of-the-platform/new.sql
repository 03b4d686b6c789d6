create extension pg_net;
create extension pg_graphql;

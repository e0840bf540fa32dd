"""The PostgreSQL engine: one database per infobase, and an embedded cluster when no server is at hand."""

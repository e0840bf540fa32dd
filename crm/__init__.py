"""The CRM: `configuration/` (TOML, no code), the named procedures it uses, and the demonstration data."""

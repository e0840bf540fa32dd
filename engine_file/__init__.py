"""The file engine: a folder with one SQLite file, its lock companions and its event log."""

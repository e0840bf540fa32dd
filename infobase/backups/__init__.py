"""Backups of an infobase: made online and verified at once, thinned by rules, verified again, restored, drilled. See docs/backup.md."""

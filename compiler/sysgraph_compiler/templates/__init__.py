"""Jinja2 templates that cannot do harm: parsed, checked against an allowlist, typed, rendered."""

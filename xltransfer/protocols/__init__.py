"""Protocols: from a study to units of work, and from a unit to rows."""

"""Recomputes published numbers from other published numbers; ``analyses/audit_published.py`` chains the papers.

A paper's module has ``findings(read)``: ``read`` gives one of the paper's tables by its name, every cell as printed.
Each finding is one printed number (or label, flag, list) beside what the others make of it. No module knows which cells
are wrong.
"""

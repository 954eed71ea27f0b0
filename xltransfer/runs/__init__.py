"""Units of work, the results folder that holds what they made, and the executors that run them.

A unit (``unit.py``) has a key and an id; the store (``store.py``) says whether it is present; an executor calls a
top-level ``work`` function for every wanted unit that is not. What a unit computes is no business of this room: it
knows no protocol and no torch, and ``open_run`` reads a finished folder where torch cannot be imported.
"""

"""Names that say by themselves that equal ones are the same item, in whatever language or file.

Most ids do not: ``12`` or ``test-s1`` stand in hundreds of files. Where a manifest declares that its files translate
each other, the reader puts the collection's name into ids and clusters, and whoever compares test sets may rely on it.
"""

_MARK = "parallel:"


def parallel_name(collection: str, name: str) -> str:
    """Return the name of an item, or of a cluster, of a collection of translations."""
    return f"{_MARK}{collection}:{name}"


def is_parallel(name: str) -> bool:
    """Whether equal names are the same in all files."""
    return name.startswith(_MARK)

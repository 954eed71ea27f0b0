"""What makes a list of heads a dependency tree: one root, every head in range, every word below the root."""

from collections.abc import Sequence


class TreeError(ValueError):
    """Heads that are no tree.

    Attributes
    ----------
    word
        1-based number of the word where it shows.
    """

    def __init__(self, word: int, message: str) -> None:
        self.word = word
        super().__init__(message)


def check_tree(heads: Sequence[int]) -> None:
    """Check the heads of one sentence (0 is the root, else the 1-based number of a word); linear in its length.

    Raises
    ------
    TreeError
        For a head out of range, no root or several, or a cycle.
    """
    for word, head in enumerate(heads, start=1):
        if not 0 <= head <= len(heads):
            raise TreeError(word, f"head {head} of word {word} is out of range; the sentence has {len(heads)} words")
    roots = [word for word, head in enumerate(heads, start=1) if head == 0]
    if not roots:
        raise TreeError(1, "the sentence that starts here has no root (no word with head 0)")
    if len(roots) > 1:
        raise TreeError(roots[1], f"several roots in one sentence: words {', '.join(map(str, roots))} have head 0")
    reaches_root = [True] + [False] * len(heads)
    for start in range(1, len(heads) + 1):
        trail: dict[int, None] = {}
        word = start
        while not reaches_root[word]:
            if word in trail:
                raise TreeError(word, f"cycle: word {word} is its own ancestor")
            trail[word] = None
            word = heads[word - 1]
        for passed in trail:
            reaches_root[passed] = True

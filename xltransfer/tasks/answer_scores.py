"""SQuAD's exact match and F1, and the two rules by which answers are compared.

Both rules lower the case, take punctuation and articles out, and compare what is left: as a whole (exact match) or as
bags of words (F1, 0 where no word is shared, also where both sides are empty). Of several gold answers the best counts,
for each of the two scores apart.

``squad``
    The script of SQuAD v1.1 (Rajpurkar et al. 2016): ASCII punctuation and symbols, the English articles a, an, the,
    words between white space, whatever the language. XTREME (Hu et al. 2020) scores XQuAD and TyDiQA-GoldP so. A
    Chinese or Thai answer is then a single word.
``multilingual``
    After MLQA's script (Lewis et al. 2020): all punctuation of Unicode besides, the articles (and some Vietnamese
    particles) that it lists for a language, none for others, and each Chinese character a word of its own. It departs
    from it in two places: the Arabic article is taken off the beginnings of words only, where the script's pattern
    deletes these letters inside words too; and its rule for Chinese holds for every script without spaces (kana, Thai,
    Lao, Burmese, Khmer), whatever the language, with marks staying at their letter.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

Normalisation = Literal["squad", "multilingual"]

ARTICLES: Final[Mapping[str, str]] = {
    "eng": "a an the",
    "spa": "un una unos unas el la los las",
    "deu": "ein eine einen einem eines einer der die das den dem des",
    "vie": "của là cái chiếc những",
}
"""Language to the words that ``multilingual`` passes over."""

_UNSPACED: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0002ffff"
_APART: Final = re.compile(f"([{_UNSPACED}])")
_ARABIC_ARTICLE: Final = re.compile(r"\bال")


def exact_match(prediction: str, gold: Sequence[str], language: str, rule: Normalisation) -> int:
    """Return 1 if the prediction equals one of the gold answers after normalisation, else 0."""
    words = answer_words(prediction, language, rule)
    return int(any(words == answer_words(each, language, rule) for each in gold))


def best_f1(prediction: str, gold: Sequence[str], language: str, rule: Normalisation) -> float:
    """Return the F1 (0 to 1) of the words shared with the gold answer that shares most."""
    words = answer_words(prediction, language, rule)
    return max(_f1(words, answer_words(each, language, rule)) for each in gold)


def _f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    shared = sum((Counter(prediction) & Counter(gold)).values())
    return 2.0 * shared / (len(prediction) + len(gold)) if shared else 0.0


@lru_cache(maxsize=1 << 16)
def answer_words(answer: str, language: str, rule: Normalisation) -> tuple[str, ...]:
    """Return the words by which an answer is compared; ``language`` is a code of ISO 639-3."""
    return _RULES[rule](answer.lower(), language)


def _squad(answer: str, language: str) -> tuple[str, ...]:
    plain = "".join(character for character in answer if character not in string.punctuation)
    return tuple(re.sub(r"\b(a|an|the)\b", " ", plain).split())


def _multilingual(answer: str, language: str) -> tuple[str, ...]:
    plain = "".join(character for character in answer if not _is_punctuation(character))
    if language == "ara":
        plain = _ARABIC_ARTICLE.sub("", plain)
    words = " ".join(map(_letters_apart, plain.split())).split()
    articles = ARTICLES.get(language, "").split()
    return tuple(word for word in words if word not in articles)


def _letters_apart(word: str) -> str:
    """Put a space before each letter of a script without spaces, and behind it where another script goes on."""
    if not _APART.search(word):
        return word
    parts: list[str] = []
    inside = False
    for character in word:
        category = unicodedata.category(character)
        if category == "Cf":  # a zero width space between words, a joiner within one: nothing that is read
            continue
        mark = category[0] == "M"
        apart = bool(_APART.match(character)) and not mark
        if parts and (apart or (inside and not mark)):
            parts.append(" ")
        parts.append(character)
        inside = apart or (inside and mark)
    return "".join(parts)


@lru_cache(maxsize=1 << 16)
def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character)[0] == "P"


_RULES: Final[Mapping[Normalisation, Callable[[str, str], tuple[str, ...]]]] = {
    "squad": _squad,
    "multilingual": _multilingual,
}

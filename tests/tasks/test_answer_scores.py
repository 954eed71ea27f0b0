"""SQuAD's two scores on cases worked by hand from the published definitions."""

import pytest

from xltransfer.tasks.answer_scores import answer_words, best_f1, exact_match

# prediction, gold answers, language, rule, exact match, F1
CASES = {
    "articles": ("the cat", ["a cat"], "eng", "squad", 1, 1.0),
    "articles inside words stay": ("theatre", ["atre"], "eng", "squad", 0, 0.0),
    "punctuation and case": ("U.S.A.!", ["usa"], "eng", "squad", 1, 1.0),
    "symbols of ASCII go too": ("$5+", ["5"], "eng", "squad", 1, 1.0),
    "white space": ("  two \n words ", ["two words"], "eng", "squad", 1, 1.0),
    "half of the words": ("red big dog", ["big dog house park"], "eng", "squad", 0, 2 * 2 / (3 + 4)),
    "a word counts as often as it stands": ("to to to", ["to be to"], "eng", "squad", 0, 2 * 2 / 6),
    "empty prediction": ("", ["London"], "eng", "squad", 0, 0.0),
    "only an article": ("the", ["London"], "eng", "squad", 0, 0.0),
    # v1.1 compares the two empty answers as equal, and finds no shared word.
    "gold of an article only": ("", ["The"], "eng", "squad", 1, 0.0),
    "best of several": ("in London", ["London, England", "in London", "Paris"], "eng", "squad", 1, 1.0),
    "best of several for F1 apart": ("north of London", ["London", "south of London"], "eng", "squad", 0, 2 * 2 / 6),
    "English articles in every language": ("a casa", ["casa"], "spa", "squad", 1, 1.0),
    "other articles stay": ("la casa", ["casa"], "spa", "squad", 0, 2 / 3),
    "Chinese is one word": ("北京市", ["北京"], "zho", "squad", 0, 0.0),
    "foreign punctuation stays": ("«casa»", ["casa"], "spa", "squad", 0, 0.0),
    "Spanish articles": ("la casa", ["una casa"], "spa", "multilingual", 1, 1.0),
    "German articles": ("in der Stadt", ["in die Stadt"], "deu", "multilingual", 1, 1.0),
    "English articles in English only": ("a casa", ["casa"], "por", "multilingual", 0, 2 / 3),
    "Vietnamese": ("của Hà Nội", ["Hà Nội"], "vie", "multilingual", 1, 1.0),
    "Arabic article at the beginning": ("البيت", ["بيت"], "ara", "multilingual", 1, 1.0),
    "Arabic letters inside a word": ("مالك", ["مك"], "ara", "multilingual", 0, 0.0),
    "foreign punctuation": ("«casa»。", ["casa"], "spa", "multilingual", 1, 1.0),
    "Chinese characters": ("北京市", ["北京"], "zho", "multilingual", 0, 2 * 2 / 5),
    "Chinese beside Latin": ("iPhone手机", ["iphone 手 机"], "zho", "multilingual", 1, 1.0),
    "Chinese and punctuation": ("北京。", ["北京"], "zho", "multilingual", 1, 1.0),
    "kana": ("トウキョウ", ["トウ"], "jpn", "multilingual", 0, 2 * 2 / 7),
    "Thai letters with their marks": ("กี่", ["ก"], "tha", "multilingual", 0, 0.0),
    "Hindi keeps its words": ("नई दिल्ली", ["दिल्ली"], "hin", "multilingual", 0, 2 / 3),
    "zero width spaces of Khmer": ("ភ្នំ\u200bពេញ", ["ភ្នំពេញ"], "khm", "multilingual", 1, 1.0),
    "zero width spaces are no words": ("ก\u200bข", ["ก ค"], "tha", "multilingual", 0, 2 * 1 / 4),
    "joiners of other scripts stay": ("می\u200cرود", ["میرود"], "fas", "multilingual", 0, 0.0),
    "nothing": ("", ["casa"], "spa", "multilingual", 0, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_cases_by_hand(name: str) -> None:
    prediction, gold, language, rule, em, f1 = CASES[name]
    assert exact_match(prediction, gold, language, rule) == em
    assert best_f1(prediction, gold, language, rule) == pytest.approx(f1)


def test_words_by_which_answers_are_compared() -> None:
    assert answer_words("The U.S.A., in 1815 (A)", "eng", "squad") == ("usa", "in", "1815")
    assert answer_words("Nº 5, 東京タワー 3階", "jpn", "multilingual") == (
        "nº", "5", "東", "京", "タ", "ワ", "ー", "3", "階",
    )  # fmt: skip
    assert answer_words("กี่คน", "tha", "multilingual") == ("กี่", "ค", "น")


MARK = "\u0e34"  # Thai, above its letter


def test_where_letters_of_scripts_without_spaces_come_apart() -> None:
    """By hand: before each such letter, and before the next letter of another script, wherever marks stand."""
    cases = {
        f"ก{MARK}ab": (f"ก{MARK}", "ab"),
        f"{MARK}aก": (f"{MARK}a", "ก"),
        "e\u0301xก": ("e\u0301x", "ก"),
        "กab": ("ก", "ab"),
        "a\u200bก": ("a", "ก"),
        "ก\u200ba": ("ก", "a"),
        "ကို\u200bမြန်မာ": ("ကို", "မြ", "န်", "မာ"),
    }
    assert {word: answer_words(word, "tha", "multilingual") for word in cases} == cases

"""Laws of syllables and of repaired names, over the whole inventory and over names of the minorities."""

import re
import tomllib
import unicodedata
from collections.abc import Callable
from importlib.resources import files
from random import Random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from evaluation.population import name_errors
from linkage.vietnamese import fold, parse_name
from linkage.vietnamese.sounds import doublet_key, sound_key
from linkage.vietnamese.syllables import all_syllables, parse_syllable, reads_without_marks
from linkage.vietnamese.text import LETTERS
from linkage.vietnamese.tones import TONES, place_tone

SYLLABLES = sorted({syllable.spelling for syllable in all_syllables()})
syllables = st.sampled_from(SYLLABLES)
FOREIGN = """
    Park Min-jun|LEE SEO YEON|Lee Min Ho|KIM JI HOON|John Smith|James Wess|Sarah Ross|Alex Max|Max|Rex Harris|
    Hans Müller|José Muñoz|Noël|René Garçon|Chloë Björn|Lü Wei|Chow Tai Man|Dawn Tran|Jess Nguyen|Fox Mulder|
    Tanaka Hiroshi|Sok Dara|Phommachanh Khamla|Anna Lars|Olga Ivanov|Søren|André|Zoé|Bruce Lee|Joseph Aziz
"""
MINORITIES = """
    Y Moan Êñuôl|H'Hen Niê|H'Bia Mlô|Y Thŏ Kƀuôr|H’Yŏn Byă|Y Jŭ Adrơng|H'Djuê Êban|Y Wăn Hđơk|H'Mlâm Ayŭn|
    A Bưh|Y Blưnh|A Khưng|Y Pyêng|A Lêng|Y Hmưm|A Djơn|A Brôi|
    K'Brêu|K'Sré Jrang|Ka Brèo|K'Wèl|K'Srang Tiêng|K'Lơh|Ka Nhem Mul|
    Rơ Chăm H'Lĕ|Ksor Kŏk|Siu Hč̆a|Rmah H'Bƀen|Nay Kpă|R'Com Sa Duyên|Kpuih Ŏt|
    Thạch Sóc Kha|Neáng Rươl|Danh Som Rith|Kim Sô Phia|Neáng Sâm Ươl|Châu Bô Phal|
    Đàng Năng Thọ|Từ Công Não|Quảng Ja Bá|Thập Liên Trưởng|Inrasara Phú Trạm
"""


def _names(table: str) -> list[str]:
    return re.split(r"\s*\|\s*", table.strip())


def _clean(name: str) -> str:
    name = unicodedata.normalize("NFC", name.lower().replace("’", "'").replace("-", " "))
    return " ".join(map(place_tone, name.split()))


def test_every_syllable_is_its_own_spelling() -> None:
    for syllable in all_syllables():
        assert parse_syllable(syllable.spelling) == syllable
        assert unicodedata.is_normalized("NFC", syllable.spelling)
    assert len(SYLLABLES) > 15_000


@given(st.one_of(st.text(max_size=8), st.text(alphabet=LETTERS, max_size=7)))
@example("gi")
@example("\u0301")
@example("qu")
def test_whatever_has_parts_is_spelled_from_them(word: str) -> None:
    syllable = parse_syllable(word)
    reads_without_marks(word)
    sound_key(word)
    doublet_key(word)
    if syllable:
        assert place_tone(syllable.spelling) == syllable.spelling == place_tone(word)


def test_no_syllable_is_changed() -> None:
    for syllable in SYLLABLES:
        for typed in (syllable, syllable.title(), syllable.upper(), unicodedata.normalize("NFD", syllable)):
            for name in (parse_name(typed), parse_name(f"Nguyễn {typed}")):
                assert name is not None
                assert name.given == syllable


def test_no_syllable_without_marks_is_changed() -> None:
    for plain in {fold(syllable) for syllable in SYLLABLES}:
        for typed in (plain, plain.title(), plain.upper()):
            for name in (parse_name(typed), parse_name(f"Nguyen Thi {typed}")):
                assert name is not None
                assert name.given == plain


ONSETS = "b c ch d đ g gh gi h k kh l m n ng ngh nh p ph q r s t th tr v x"
NUCLEI = "a ă â e ê i y o oo ô ơ u ư iê yê ia ya uô ua ươ ưa"
CODAS = "c ch m n ng nh p t i y o u"


def one_or_none(parts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *parts.split()])


@given(
    *(one_or_none(ONSETS), one_or_none("o u"), st.sampled_from(NUCLEI.split()), one_or_none(CODAS)),
    st.sampled_from(["", *TONES.values()]),
)
@settings(max_examples=500)
def test_only_what_is_no_syllable_is_changed_and_becomes_one(
    onset: str, medial: str, nucleus: str, coda: str, tone: str
) -> None:
    at = 2 if len(nucleus) == 2 and nucleus[1] != "a" else 1
    word = place_tone(unicodedata.normalize("NFC", f"{onset}{medial}{nucleus[:at]}{tone}{nucleus[at:]}{coda}"))
    for typed in (word, word.title(), word.upper()):
        name = parse_name(typed)
        assert name is not None
        if name.canonical != word:
            assert parse_syllable(word) is None
            assert parse_syllable(name.canonical)


@given(st.lists(syllables, min_size=1, max_size=5))
def test_no_name_of_syllables_is_changed(words: list[str]) -> None:
    name = parse_name(" ".join(["lê", *words]))
    assert name is not None
    assert name.canonical == " ".join(["lê", *words])


@given(st.lists(syllables, min_size=1, max_size=4), st.sampled_from("\u00ad\u200b\u200d\ufeff"), st.randoms())
@settings(max_examples=300)
def test_what_nobody_sees_changes_no_name(words: list[str], unseen: str, random: Random) -> None:
    letters = list(" ".join(["nguyễn", *words]).title())
    for _ in range(random.randint(1, 3)):
        letters.insert(random.randint(0, len(letters)), unseen)
    name = parse_name("".join(letters))
    assert name is not None
    assert name.canonical == " ".join(["nguyễn", *words])


@pytest.mark.parametrize("name", _names(MINORITIES) + _names(FOREIGN))
def test_no_other_name_is_changed(name: str) -> None:
    for typed in (name, name.upper(), unicodedata.normalize("NFD", name)):
        parsed = parse_name(typed)
        assert parsed is not None
        assert parsed.canonical == _clean(name)


def _population() -> list[str]:
    """Names of the minorities as the synthetic population makes them; every word once at least."""
    lists = tomllib.loads(files("evaluation.population").joinpath("data/names.toml").read_text(encoding="utf-8"))
    clans, koho, khmer = lists["ede_clans"], lists["koho_clans"], lists["khmer_first"]
    bana = [onset + rhyme for onset in lists["bana_onsets"] for rhyme in lists["bana_rhymes"]]
    return [
        *(f"Y {given} {clans[i % len(clans)]}" for i, given in enumerate(lists["ede_male"])),
        *(f"H'{given} {clans[i % len(clans)]}" for i, given in enumerate(lists["ede_female"])),
        *(f"{word} {given}" for given in bana for word in "AY"),
        *(f"K'{given} {koho[i % len(koho)]}" for i, given in enumerate(lists["koho_given"])),
        *(f"Thạch {khmer[i % len(khmer)]} {given}" for i, given in enumerate(lists["khmer_last"])),
        *(f"{surname} Năng Thọ" for surname in lists["cham_surnames"]),
    ]


@pytest.mark.parametrize("apostrophe", list("'’‘`´ʼ"))
def test_no_name_of_the_population_is_changed(apostrophe: str) -> None:
    for name in _population():
        typed = name.replace("'", apostrophe)
        for form in (typed, typed.upper(), unicodedata.normalize("NFD", typed)):
            parsed = parse_name(form)
            assert parsed is not None
            assert parsed.canonical == _clean(name)


# VNI writes the tone, with the mark but that of ơ and ư, as one letter behind the vowel
VNI_TONES = dict(zip("\u0301\u0300\u0309\u0303\u0323", "ùøûõï", strict=True))
VNI_HAT = dict(zip("\u0301\u0300\u0309\u0303\u0323", "áàåãä", strict=True))
VNI_BREVE = dict(zip("\u0301\u0300\u0309\u0303\u0323", "éèúüë", strict=True))
VNI_ALONE = dict(zip("íìỉĩịỵđơư", "íìæóòîñôö", strict=True))


def vni(name: str, _: Random) -> str:
    return "".join(_vni_letter(letter) for letter in name.lower())


def _vni_letter(letter: str) -> str:
    if letter in VNI_ALONE:
        return VNI_ALONE[letter]
    base, *marks = list(unicodedata.normalize("NFD", letter))
    tones = VNI_HAT | {"": "â"} if "\u0302" in marks else VNI_BREVE | {"": "ê"} if "\u0306" in marks else VNI_TONES
    tone = "".join(mark for mark in marks if mark in VNI_TONES)
    return ({"o": "ô", "u": "ö"}[base] if "\u031b" in marks else base) + tones.get(tone, "")


def vni_capitals(name: str, _: Random) -> str:
    return vni(name, _).upper()


# a name that proves each encoding; the syllable behind it comes back
PROOF = "Nguyễn Đặng Hữu"
ENCODINGS: list[tuple[Callable[[str, Random], str], str]] = [
    (name_errors.utf8_as_cp1252, "[\x81\x8d\x8f\x90\x9d]"),
    (name_errors.tcvn3, "¹ẹ$"),  # Ñ alone is an initial
    (vni, "$^"),
    (vni_capitals, "$^"),
    (name_errors.telex, "o[oòóỏõọ]"),
    (name_errors.vni_keys, "$^"),
    (name_errors.viqr, "$^"),
]


@pytest.mark.parametrize(("encode", "lossy"), ENCODINGS)
@given(word=syllables)
def test_what_was_encoded_comes_back(encode: Callable[[str, Random], str], lossy: str, word: str) -> None:
    assume(not re.search(lossy, word.encode().decode("latin-1") + word))
    name = f"{PROOF} {word}" if encode is not name_errors.utf8_as_cp1252 else f"Lê {word}"
    assert parse_name(encode(name, Random(1))) == parse_name(name)


TYPED = "aeouynhtgcdkAEOÑñùøûõïâáàåãäêéèúüëôöíìæóòîÙØÕ¸µ¶·¹¨©®«¬\u00ad 0123^(+~`'?.fsrxjw"


@given(st.text(alphabet=TYPED, max_size=16))
def test_a_repaired_name_is_repaired_for_good(text: str) -> None:
    name = parse_name(text)
    if name:
        assert parse_name(name.canonical) == name


@given(syllables, syllables, st.booleans())
def test_glued_names_come_apart(middle: str, given_name: str, plain: bool) -> None:
    assume(len(middle) > 1 and len(given_name) > 1)
    words = ["Nguyễn", middle.title(), given_name.title()]
    words = [fold(word).title() for word in words] if plain else words
    assert parse_name("".join(words)) == parse_name(" ".join(words))


@given(syllables, syllables)
def test_near_keys_follow_the_canonical_word(one: str, other: str) -> None:
    name = parse_name(f"{one} {other}")
    assert name is not None
    assert name.sound == " ".join(map(sound_key, name.canonical.split()))
    assert name.doublet == " ".join(map(doublet_key, name.canonical.split()))


def test_one_sound_gathers_few_syllables() -> None:
    keys = {sound_key(syllable) for syllable in SYLLABLES}
    assert len(SYLLABLES) / 10 < len(keys) < len(SYLLABLES) / 2

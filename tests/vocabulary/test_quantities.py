from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrex.labels.labeler import DistantLabeler
from attrex.shop.shop import Shop
from attrex.types import Product
from attrex.vocabulary.folding import FoldedText, Folder
from attrex.vocabulary.normalizer import ValueNormalizer
from attrex.vocabulary.numbers import NumberStyle
from attrex.vocabulary.quantities import fold_size, measures, whole_number

GERMAN, FRENCH = Folder(numbers="1.234,5"), Folder(numbers="1 234,5")


def found(value: str, text: str, language: str = "en") -> list[str]:
    """The words of a text that are labelled with the value."""
    labeler = DistantLabeler(Shop(languages=(language,)))
    spans = labeler.label(Product("p", {"text": text}, table={"A": (value,)})).spans or ()
    assert all(text[s.start : s.end] == s.text for s in spans)
    return [s.text for s in spans]


@pytest.mark.parametrize(
    ("value", "text", "words"),
    [
        # length, screens, heights
        ("18 1/4 in", "A lamp, 18¼″ high", "18¼″"),
        ("18 1/4 in", "A lamp of 18-1/4 inches", "18-1/4 inches"),
        ("18.25 in", "A lamp, 18 1/4” high", "18 1/4”"),
        ("55 in", 'A 55" screen', '55"'),
        ("55 in", "A 55-inch screen", "55-inch"),
        ("55 inch", "Ein Fernseher, 55 Zoll, schwarz", "55 Zoll"),
        ("0.5 in", "½ inch thick", "½ inch"),
        ("71 in", "Height 5'11\" or so", "5'11\""),
        ("5'11\"", "Height 5 ft 11 in or so", "5 ft 11 in"),
        ("1.5 m", "A cable of 150\u00a0cm", "150\u00a0cm"),
        ("30 m", "Resistant to 30 metres", "30 metres"),
        # weight, volume
        ("500 ml", "A bottle, 0.5 l", "0.5 l"),
        ("500 ml", "A bottle, .5 L", ".5 L"),
        ("33 cl", "A can of 330ml", "330ml"),
        ("0.5 kg", "Coffee 500 g", "500 g"),
        ("1 lb", "Coffee 16 oz", "16 oz"),
        ("12 fl oz", "A cup of 12 fl. oz", "12 fl. oz"),
        ("500 ml", "一瓶500毫升装", "500毫升"),
        # electricity, storage, light, pressure, frequency
        ("1,500 mAh", "A battery of 1.5 Ah", "1.5 Ah"),
        ("1500 mAh", "A battery of 1,500mAh", "1,500mAh"),
        ("2 kW", "A heater, 2000 W", "2000 W"),
        ("1 TB", "A disk of 1000 GB", "1000 GB"),
        ("2700 K", "Warm light, 2700K", "2700K"),
        ("2.5 bar", "At most 250 kPa", "250 kPa"),
        ("2.4 GHz", "Runs at 2400 MHz", "2400 MHz"),
        ("-18 °C", "Keep at \u221218°C", "\u221218°C"),
        # percent, counts, carats, threads
        ("100%", "Made of 100 percent wool", "100 percent"),
        ("pack of 6", "A 6-pack of socks", "6-pack"),
        ("6 pack", "Socks, pack of 6", "pack of 6"),
        ("0.5 ct", "A stone of ½ carat", "½ carat"),
        ("400 thread count", "Sheets, thread count: 400", "thread count: 400"),
        ("400 TC", "Sheets, 400 thread-count", "400 thread-count"),
        # dimensions
        ("10 x 20 x 30 cm", "A box, 10 × 20 × 30 cm", "10 × 20 × 30 cm"),
        ("10 x 20 x 30 cm", "A box, 100x200x300mm", "100x200x300mm"),
        ("10 x 20 x 30 cm", "A box, 10cm x 20cm x 30cm", "10cm x 20cm x 30cm"),
        ("50 x 70", "A frame 50×70", "50×70"),
        ('20" x 30"', "A frame 20 by 30 inches", "20 by 30 inches"),
        ("30 cm", "A box, 10 × 20 × 30 cm", "30 cm"),
        ("10x20 cm", "A box, 10cmx20cm", "10cmx20cm"),
        ("6 x 330 ml", "Six cans (6x0.33 l)", "6x0.33 l"),
        ("330 ml", "Six cans (6 x 330 ml)", "330 ml"),
        # ranges and tolerances
        ("10-20 cm", "Of 10 – 20 cm", "10 – 20 cm"),
        ("220-240 V", "For 220–240V", "220–240V"),
        ("-20 to 70 °C", "At -20...+70°C", "-20...+70°C"),
        ("60 Hz", "At 50/60Hz", "60Hz"),
        ("10 mm", "A rod of 10 mm ± 0.5", "10 mm"),
        # sizes
        ("XXL", "Size 2XL", "2XL"),
        ("2XL", "Size XXL", "XXL"),
        ("3XL", "Size 3X-Large", "3X-Large"),
        ("XL", "Size Extra Large", "Extra Large"),
        ("8.5", "US shoe 8½", "8½"),
        ("42 2/3", "Size 42⅔", "42⅔"),
        # a number of another measure, or without any
        ("42", "A case of 42 mm", "42"),
        ("bar stool", "A set of 2 bar stools", "bar stools"),
        ("4/5 years", "For 4/5 years", "4/5 years"),
    ],
)
def test_a_measure_is_found_however_it_is_written(value: str, text: str, words: str) -> None:
    assert found(value, text) == [words]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("5 m", "A cable of 1.5 m"),
        ("500 mAh", "A battery of 1,500 mAh"),
        ("500 ml", "A bottle of 1’500 ml"),
        ("2 in", "A pipe of 1/2 in"),
        ("4 in", "A pipe of 18¼ in"),
        ("18 in", "A lamp, 18¼ in"),
        ("4 in", "A pipe of 3/4 in"),
        ("18 °C", "Keep at -18 °C"),
        ("-18 °C", "Keep at 18 °C"),
        ("-5", "Type 5"),
        ("5x", "Type 15x"),
        ("18", "Keep at -18 °C"),
        ("1020", "Lengths 10-20"),
        ("10-20", "Type 1020"),
        ("20 cm", "Of 10-20 cm"),
        ("10 cm", "Of 10 – 20 cm"),
        ("240 V", "For 220-240 V"),
        ("11 in", "Height 5'11\""),
        ("20 x 30 cm", "A box, 10 x 20 x 30 cm"),
        ("10 cm", "A box, 10 x 20 x 30 cm"),  # the words "10" alone would say it of millimetres, too
        ("0.5 mm", "A rod of 10 ± 0.5 mm"),
        ("5 V", "A signal of ±5 V"),
        ("6 ml", "Six cans (6 x 330 ml)"),
        ("500 mg", "A solution of 500 mg/ml"),
        ("5 m", "At 5 m/s"),
        ("2 in", "A 2 in 1 jacket"),
        ("3 in", "A 3-in-1 jacket"),
        ("2 in", "A pair of 2 in-ear plugs"),
        ("2 t", "A pack of 2 t-shirts"),
        ("3 V", "A pack of 3 V-necks"),
        ("5 in", 'The "Model 5" case'),
        ("5 ft", "Miller's '5' case"),
        ("5 g", "A 5G phone"),
        ("XL", "Size 2XL"),
        ("XL", "Size XXL"),
        ("XXL", "Size 3XL"),
        ("9 mm", "A ratio of 16:9 mm"),
        ("500 g", "Model 500"),
        ("2 mW", "A plant of 2 MW"),
        ("12", "Version 1.12.3"),
        ("128 GB", "13 PB, 1128 GB"),
    ],
)
def test_a_number_is_not_found_inside_another(value: str, text: str) -> None:
    assert found(value, text) == []


@pytest.mark.parametrize(
    ("language", "value", "text", "words"),
    [
        ("de", "1.5 kg", "Kaffee, 1,5 kg", ["1,5 kg"]),
        ("de", "1500 g", "Kaffee, 1.500 g", ["1.500 g"]),
        ("de", "1,5 g", "Kaffee, 1.500 g", []),
        ("en", "1.5 g", "A pill of 1.500 g", ["1.500 g"]),
        ("en", "1500 g", "A pill of 1,500 g", ["1,500 g"]),
        ("en", "1.5 kg", "Kaffee, 1,5 kg", ["1,5 kg"]),  # no thousands have one digit
        ("fr", "1500 mAh", "Batterie de 1 500 mAh", ["1 500 mAh"]),
        ("fr", "500 mAh", "Batterie de 1\u202f500 mAh", []),
        ("en", "500 mAh", "Batteries: 1 500 mAh", ["500 mAh"]),
        ("es", "0.25 l", "Botella de 0,250 l", ["0,250 l"]),
    ],
)
def test_the_language_says_what_stands_between_thousands(
    language: str, value: str, text: str, words: list[str]
) -> None:
    assert found(value, text, language) == words


def test_bullets_and_compound_names_have_no_minus() -> None:
    assert found("5 Pockets", "Details:\n-5 pockets\n-3 zips") == ["5 pockets"]
    assert found("100% Cotton", "-100% cotton") == ["100% cotton"]
    assert found("400", "Filter UV-400") == ["400"]
    assert found("-5", "-5") == ["-5"]  # a cell


def test_a_list_is_several_numbers_and_a_version_none() -> None:
    assert found("37", "Sizes 36,37,38") == ["37"]
    assert found("256 GB", "8 GB - 256 GB SSD") == ["256 GB"]
    assert Folder().split("1.2.3") == ["1.2.3"]
    assert Folder().split("007") == ["007"] != Folder().split("7")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("18 1/4 in", ["≡463.55mm"]),
        ("1 m 80 cm", ["≡1800mm"]),
        ("1 h 30 min", ["≡5400s"]),
        ("-20 °C to +70 °C", ["≡-20°C~70°C"]),
        ("20 °C (68 °F)", ["≡20°C", "(", "≡68°F", ")"]),
        ("1/3 cup", ["≡8⁄3fl oz"]),
        ("L10 x W20 x H30 cm", ["l", "≡100mmx200mmx300mm"]),
        ("M8x40 mm", ["m", "8", "x", "≡40mm"]),
        ("12 in.", ["≡304.8mm"]),
        ("5'-11\"", ["≡1803.4mm"]),
        ("10+/-0.5 mm", ["≡10mm±0.5mm"]),
        ("%100 pamuk", ["≡100%", "pamuk"]),
        ("３００ｍｌ", ["≡300ml"]),
        ("36 – 38", ["36", "-", "38"]),
        ("9" * 5000 + " kg", ["9" * 5000, "kg"]),
    ],
)
def test_equal_measures_fold_to_one_word(text: str, words: list[str]) -> None:
    assert Folder().split(text) == words


def test_sizes_fold_to_one_spelling() -> None:
    assert {fold_size(s) for s in ("XXL", "2XL", "2 XL", "2xl", "XX-Large", "2X-Large", "extra extra large")} == {"2xl"}
    assert {fold_size(s) for s in ("XS", "x-small", "Extra Small")} == {"xs"}
    assert [fold_size(s) for s in ("L", "Large", "XLR", "extra")] == [None] * 4


@pytest.mark.parametrize(
    ("number", "english", "german"),
    [
        ("1,500", 1500, Fraction(3, 2)),
        ("1.500", Fraction(3, 2), 1500),
        ("0.500", Fraction(1, 2), Fraction(1, 2)),
        ("1.234,5", Fraction(2469, 2), Fraction(2469, 2)),
        ("1,234,567", 1234567, 1234567),
        ("12,34,567", 1234567, 1234567),
        ("2¾", Fraction(11, 4), Fraction(11, 4)),
        ("\u22125", -5, -5),
        ("12.05.2020", None, None),
    ],
)
def test_numbers_are_read_as_their_language_writes_them(
    number: str, english: Fraction | int | None, german: Fraction | int | None
) -> None:
    assert (NumberStyle().parse(number), GERMAN.style.parse(number)) == (english, german)


def test_a_style_is_an_example() -> None:
    assert NumberStyle.of("1 234,5").example == "1 234,5"
    with pytest.raises(ValueError, match=r"such as '1,234.5', got '1234.5'"):
        NumberStyle.of("1234.5")


@pytest.mark.parametrize(
    ("text", "cut", "whole"),
    [
        ("Keep at -18 °C", "18 °C", "-18 °C"),
        ("A cable of 1.5 m", "5 m", "1.5 m"),
        ("A pipe of 1/2 in", "2 in", "1/2 in"),
        ("Of 10-20 cm", "10", "10-20"),
        ("Height 5'11\" tall", '11"', "5'11\""),
        ("A box\n10 x 20 cm", "20 cm", "20 cm"),
        ("Paper, 8 1/2 x 11, white", "11", "11"),  # either is a number of its own
        ("Paper, 1 1/2x3", "3", "3"),
        ("Blue shirt 5", "shirt", "shirt"),
    ],
)
def test_what_cuts_a_number_grows_to_it(text: str, cut: str, whole: str) -> None:
    start = text.index(cut)
    start, end = whole_number(text, start, start + len(cut))
    assert text[start:end] == whole


@pytest.mark.parametrize(
    ("text", "places"),
    [("¼%0", [(0, 2)]), ("½ %5", [(0, 3)]), ("10 pack of 6", [(0, 7)]), ("%80 wool %20", [(0, 3), (9, 12)])],
)
def test_a_unit_behind_one_number_names_no_other_one(text: str, places: list[tuple[int, int]]) -> None:
    assert [(m.start, m.end) for m in measures(text)] == places


def test_what_a_model_finds_is_named_by_its_whole_measure() -> None:
    table = [Product("p", {"text": ""}, table={"T": ("-18 °C", "18 °C"), "V": ("500 ml",), "S": ("XXL",)})]
    normalizer = ValueNormalizer.fit(table)
    assert normalizer.normalize("T", "18°C") == "18 °C"
    assert normalizer.normalize("T", "\u221218 °C") == "-18 °C"
    assert normalizer.normalize("T", "8 °C") is None
    assert normalizer.normalize("V", "0.5 l") == "500 ml"
    assert normalizer.normalize("V", "1,500 ml") is None
    assert normalizer.normalize("S", "2XL") == "XXL"


@given(
    st.text(alphabet="0123456789 .,/-–−x×'\"¼½″°Ccmgl%±:;(\nXL", max_size=40),
    st.sampled_from([Folder(), GERMAN, FRENCH]),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_place_is_in_the_text_and_nothing_is_read_twice(text: str, folder: Folder) -> None:
    reached = 0
    for measure in measures(text, folder.style):
        assert reached <= measure.start < measure.end <= len(text)
        assert all(measure.start <= p.start < p.end <= measure.end for p in measure.parts)
        reached = measure.end
    words = list(FoldedText(text, folder).words())
    assert [start for _, start, _ in words] == sorted(start for _, start, _ in words)
    whole = "".join(word for word, _, _ in words)
    if whole:
        assert (words[0][1], words[-1][2]) in set(FoldedText(text, folder).find(whole))

"""Bodies that are too much, or not what they say; no file of the machine is named by one."""

from __future__ import annotations

import pytest

from attrex.server.bodies import Body, parse
from attrex.server.reading import Extraction, Filling, Reader
from attrex.server.refusals import Refused
from attrex.server.settings import Limits, ServerSettings
from attrex.shop.shop import DEFAULT_SHOP

LIMITS = Limits(values=50, nesting=5, products=3, text=100, photos=2, queue=10)
READER = Reader(DEFAULT_SHOP, None, ServerSettings(limits=LIMITS))


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"\xff{}", 400, "the byte 0xff at position 0"),
        (b'{"a":', 400, "expected the body to be JSON"),
        (b"[" * 200_000, 413, "at most 50 values"),
        (b"]" * 200_000, 413, "at most 50 values"),
        (b"[" * 6 + b"]" * 6, 400, "at most 5 levels"),
        (b"[" + b"1," * 60 + b"1]", 413, "at most 50 values"),
        (b"\xef\xbb\xbf{}", 400, "expected the body to be JSON"),
        (b"1" * 5000 + b"x", 400, "expected the body to be JSON"),
        (b"", 400, "expected the body to be JSON"),
    ],
)
def test_json_that_is_too_much_or_none_is_refused(body: bytes, status: int, words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        parse(body, LIMITS)
    assert refused.value.status == status


def test_signs_inside_of_texts_are_no_structure() -> None:
    text = "[" * 30 + "," * 60 + '\\" \\\\'
    assert parse(f'{{"a": "{text}"}}'.encode(), LIMITS) == {"a": "[" * 30 + "," * 60 + '" \\'}


def read(text: str, form: type[Extraction] = Extraction) -> object:
    return READER.read(Body("application/json", text.encode()), form, {})


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("[]", 422, "expected an object with products, got a list"),
        ("{}", 422, "either products, a list of rows, or product"),
        ('{"product": "a", "products": []}', 422, "either products"),
        ('{"products": []}', 422, "at least one product"),
        ('{"products": ["a", "b", "c", "d"]}', 413, "at most 3 products in a request, got 4"),
        ('{"product": {"id": "1"}}', 422, "product 1: expected text in"),
        ('{"products": ["a", 3]}', 422, "product 2: expected an object with named columns, got a number 3"),
        ('{"product": "' + "x" * 101 + '"}', 422, "at most 100 characters of text, got 101"),
        (
            '{"product": "a", "min_confidence": 2}',
            422,
            "min_confidence: Input should be less than or equal to 1, got 2",
        ),
        ('{"product": "a", "min_confidence": NaN}', 422, "min_confidence"),
        ('{"product": "a", "evidence": "yes"}', 422, "evidence: Input should be a valid boolean"),
        ('{"product": "a", "atributes": ["Color"]}', 422, "did you mean 'attributes'"),
        ('{"product": {"title": "a", "image": "/etc/passwd"}}', 422, "no file of the service's machine is read"),
        ('{"product": {"title": "a", "image": {"path": "/etc/passwd"}}}', 422, "expected a photo in base64"),
        ('{"product": {"title": "a", "image": "[\\"/etc/passwd\\"]"}}', 422, "no file of the service's machine"),
        ('{"product": {"title": "a", "image": "https://example.com/a.jpg"}}', 422, "this service fetches none"),
        ('{"product": {"title": "a", "images": ["", null, 3]}}', 422, "got a number 3"),
        (
            '{"product": {"title": "a", "images": ["YQ==", "YQ==", "YQ=="]}}',
            422,
            "at most 2 photos of a product, got 3",
        ),
    ],
)
def test_a_request_with_a_fault_is_refused_and_told_of_it(text: str, status: int, words: str) -> None:
    with pytest.raises(Refused) as refused:
        read(text)
    assert refused.value.status == status
    assert words in refused.value.detail


def test_a_precision_is_between_0_and_1() -> None:
    with pytest.raises(Refused, match="precision: Input should be less than 1"):
        read('{"product": "a", "precision": 1}', Filling)


def test_half_of_a_character_is_replaced_and_told() -> None:
    (product,) = read('{"product": {"id": "1", "title": "a \\ud83d b"}}').products  # type: ignore[attr-defined]
    assert product.fields == {"title": "a � b"}
    assert "half of a character" in product.warnings[0]


def test_a_line_with_a_fault_is_marked_and_the_others_are_read() -> None:
    lines = b'{"id": "1", "title": "a"}\n\nno\n"c"\n'
    asked = READER.read(Body("application/x-ndjson", lines), Extraction, {"evidence": True})
    assert [(p.id, bool(p.error)) for p in asked.products] == [("1", False), ("row-2", True), ("row-3", False)]
    assert asked.options.evidence


def form(request: str, *files: tuple[str, bytes]) -> object:
    return READER.read(Body("multipart/form-data", b"", {"request": request}, list(files)), Extraction, {})


def test_files_of_a_form_belong_to_the_products_that_name_them() -> None:
    request = '{"products": [{"title": "a", "image": {"part": "front"}}, {"title": "b"}]}'
    assert [p.error for p in form(request, ("front", b"...")).products] == [None, None]  # type: ignore[attr-defined]
    with pytest.raises(Refused, match=r"got the part 'front'"):
        form(request)
    with pytest.raises(Refused, match=r"'back'.*none has it"):
        form(request, ("front", b"..."), ("back", b"..."))

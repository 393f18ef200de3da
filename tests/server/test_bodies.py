"""Bodies that are too much, or not what they say; no file of the machine is named by one."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from attrex.server.bodies import Body, parse, read_form
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
        ('{"product": "' + "x" * 101 + '"}', 422, "product 1: expected at most 100 characters of text, got 101"),
        ('{"product": {"title": "a", "attributes": {"b": ["' + "x" * 100 + '"]}}}', 422, "at most 100 characters"),
        ('{"product": {"title": "a", "category": "' + "x" * 100 + '"}}', 422, "at most 100 characters of text"),
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


FETCHING = Reader(DEFAULT_SHOP, None, ServerSettings(photo_origins=("https://cdn.shop.com",), limits=LIMITS))


@pytest.mark.parametrize(
    "address",
    [
        "http://cdn.shop.com/a.jpg",
        "https://cdn.shop.com:8443/a.jpg",
        "https://cdn.shop.com.elsewhere.example/a.jpg",
        "https://elsewhere.example/#@cdn.shop.com/a.jpg",
        "https://elsewhere.example\\\\@cdn.shop.com/a.jpg",
        "https://cdn.shop.com@elsewhere.example/a.jpg",
        "https://who:secret@cdn.shop.com/a.jpg",
        "https://127.0.0.1/a.jpg",
        "https://[::ffff:10.0.0.1]/a.jpg",
        "https://0x7f000001/a.jpg",
        "https://cdn.shop.com:99999/a.jpg",
        "https:///a.jpg",
        "https://cdn.shop.com/a.jpg",  # allowed, but resolved into the own network
        "file:///etc/passwd",
        "ftp://cdn.shop.com/a.jpg",
        "gopher://cdn.shop.com/a.jpg",
    ],
)
def test_no_other_address_is_asked_for_a_photo(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And none of the own network, whatever an allowed name resolves to."""
    own = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: own)
    monkeypatch.setattr(socket.socket, "connect", lambda *arguments: pytest.fail("it was asked"))
    body = f'{{"product": {{"title": "a", "image": "{address}"}}}}'.encode()
    with pytest.raises(Refused, match="product 1: image: expected") as refused:
        FETCHING.read(Body("application/json", body), Extraction, {})
    assert refused.value.status == 422


def test_reading_photos_ends_when_it_takes_too_long(photo64: str) -> None:
    hurried = Reader(DEFAULT_SHOP, None, ServerSettings(limits=replace(LIMITS, answer_seconds=1e-9)))
    product = f'{{"title": "a", "image": "{photo64}"}}'
    with pytest.raises(Refused, match="fetched and decoded within 1e-09 seconds, got more") as refused:
        hurried.read(Body("application/json", f'{{"product": {product}}}'.encode()), Extraction, {})
    assert refused.value.status == 413
    lines = hurried.read(Body("application/x-ndjson", f'{product}\n"b"'.encode()), Extraction, {})
    assert [bool(p.error) for p in lines.products] == [True, False]


KIND = 'multipart/form-data; boundary="a b"'


def test_a_form_is_read_byte_by_byte() -> None:
    content = (
        b'--a b\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; name="request"\r\n\r\n{}\r\n'
        b'--a b\r\nContent-Disposition: form-data; name="\xc3\xa9"; filename="x"\r\n\r\n\r\n--a\r\n\x00\xff\r\n\r\n'
        b"--a b\r\nContent-Disposition: form-data; name=\"p\"; filename*=utf-8''%C3%A9.jpg\r\n\r\nx\r\n"
        b"--a b--\r\nwhat comes after it"
    )
    body = read_form(KIND, content, LIMITS)
    assert body.fields == {"request": b"{}"}
    assert body.files == [("é", b"\r\n--a\r\n\x00\xff\r\n"), ("p", b"x")]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b'--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\n{}', 400, "whose last boundary is not there"),
        (b'--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\n{}\r\n--a b', 400, "last boundary is not there"),
        (b"--a b", 400, "last boundary is not there"),
        (b"", 400, "last boundary is not there"),
        (b"x\r\n--a b--", 400, "first is not at its beginning"),
        (b"--a b\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--a b--", 400, "part 1 without a Content-Disposition"),
        (b'--a b\r\nContent-Disposition: form-data; name="x"\r\n--a b--', 400, "part 1 without a Content-Disposition"),
        (b"--a b\r\n\r\n{}\r\n--a b--", 400, "part 1 without a Content-Disposition"),
        (b'--a b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\r\n--a b--', 400, "part 1 to be UTF-8"),
        (2 * b'--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n' + b"--a b--", 422, "'x' again"),
        (b"--a b\r\n" * 20 + b"--a b--", 413, "at most 7 parts in the form"),
    ],
)
def test_a_form_that_is_none_or_cut_off_is_refused(content: bytes, status: int, words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        read_form(KIND, content, LIMITS)
    assert refused.value.status == status
    with pytest.raises(Refused, match="a boundary of 0 characters"):
        read_form("multipart/form-data", content, LIMITS)


def test_a_field_of_a_form_is_utf8_or_refused() -> None:
    with pytest.raises(Refused, match="the field 'request' to be UTF-8, got the byte 0xe9") as refused:
        form(b'{"product": "caf\xe9"}')
    assert refused.value.status == 400


def form(request: str | bytes, *files: tuple[str, bytes]) -> object:
    fields = {"request": request if isinstance(request, bytes) else request.encode()}
    return READER.read(Body("multipart/form-data", b"", fields, list(files)), Extraction, {})


def test_files_of_a_form_belong_to_the_products_that_name_them() -> None:
    request = '{"products": [{"title": "a", "image": {"part": "front"}}, {"title": "b"}]}'
    assert [p.error for p in form(request, ("front", b"...")).products] == [None, None]  # type: ignore[attr-defined]
    with pytest.raises(Refused, match=r"got the part 'front'"):
        form(request)
    with pytest.raises(Refused, match=r"'back'.*none has it"):
        form(request, ("front", b"..."), ("back", b"..."))

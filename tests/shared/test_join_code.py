"""A code survives being read aloud and typed, and a mistake in it is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.join_code import CodeError, JoinCode, fingerprint, new_code, read

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODES = st.builds(
    JoinCode,
    st.text(SYMBOLS, min_size=10, max_size=10),
    st.text(SYMBOLS, min_size=20, max_size=20),
)
HEARD = {"0": ["0", "o", "O"], "1": ["1", "i", "I", "l", "L"]}


@given(CODES, st.data())
def test_typed_as_it_was_heard_it_is_the_same(code: JoinCode, data: st.DataObject) -> None:
    typed = "".join(
        data.draw(st.sampled_from(HEARD.get(symbol, [symbol, symbol.lower()])))
        + data.draw(st.sampled_from(["", "-", " "]))
        for symbol in code.text().replace("-", "")
    )
    assert read(typed) == code


def _is_noticed(typed: str) -> bool:
    try:
        read(typed)
    except CodeError as error:
        return "mistake" in str(error)
    return False


def test_a_wrong_letter_and_two_that_changed_places_are_noticed() -> None:
    """By ten bits of a hash, so one mistake in a thousand is not; the join desk refuses that one."""
    text = JoinCode("0123456789", "ABCDEFGHJKMNPQRSTVWX").text().replace("-", "")
    wrong = [text[:i] + other + text[i + 1 :] for i in range(32) for other in SYMBOLS if other != text[i]]
    swapped = [text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in range(31)]
    noticed = [_is_noticed(typed) for typed in (*wrong, *swapped) if typed != text]
    assert noticed.count(False) <= 4
    assert len(noticed) > 1_000


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "has 32 letters"),
        ("ABCD", "this one has 4"),
        ("U" * 32, "'U'"),
        ("é" * 32, "'É'"),
        ("0" * 32, "mistake"),
        ("٣" * 32, "none of them"),
    ],
)
def test_what_is_no_code(typed: str, says: str) -> None:
    with pytest.raises(CodeError, match=says):
        read(typed)


def test_codes_are_of_one_use_and_name_their_authority() -> None:
    name = fingerprint(b"a public key")
    codes = {new_code(name) for _ in range(100)}
    assert len(codes) == 100
    assert {code.fingerprint for code in codes} == {name}
    assert fingerprint(b"another") != name
    assert len(new_code(name).text().split("-")) == 8

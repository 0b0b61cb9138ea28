"""Change: exact whenever any choice of coins is, and never more than the tubes or the amount."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from edge.sale.change import coins_for, worth

VALUES = st.lists(st.sampled_from([0, 1, 2, 5, 10, 20, 25, 50, 100]), min_size=1, max_size=5)


@st.composite
def tubes_and_amount(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    values = draw(VALUES)
    tubes = draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    return values, tubes, draw(st.integers(0, worth(tubes, values) + 10))


@given(tubes_and_amount())
def test_exact_whenever_any_choice_of_coins_is(case: tuple[list[int], list[int], int]) -> None:
    values, tubes, amount = case
    possible = {worth(c, values) for c in product(*(range(n + 1) for n in tubes))}
    paid = worth(coins_for(amount, values, tubes), values)
    assert paid <= amount
    assert (paid == amount) == (amount in possible)


@given(tubes_and_amount())
def test_never_more_than_the_tubes_hold(case: tuple[list[int], list[int], int]) -> None:
    values, tubes, amount = case
    coins = coins_for(amount, values, tubes)
    assert len(coins) == len(values)
    assert all(0 <= n <= have for n, have in zip(coins, tubes, strict=True))
    assert all(n == 0 for n, value in zip(coins, values, strict=True) if not value)


@given(tubes_and_amount())
def test_nothing_is_held_back_that_could_still_be_paid(case: tuple[list[int], list[int], int]) -> None:
    values, tubes, amount = case
    coins = coins_for(amount, values, tubes)
    rest = amount - worth(coins, values)
    left = [v for v, n, have in zip(values, coins, tubes, strict=True) if v and have > n]
    assert all(value > rest for value in left)


def test_sixty_from_one_fifty_and_three_twenties() -> None:
    assert coins_for(60, (20, 50), (3, 1)) == (3, 0)


def test_high_coins_first() -> None:
    assert coins_for(85, (5, 10, 20, 50), (9, 9, 9, 9)) == (1, 1, 1, 1)


def test_of_two_types_of_one_value_the_higher_number_goes_first() -> None:
    assert coins_for(50, (50, 10, 50), (3, 3, 3)) == (0, 0, 1)


def test_tubes_unknown_pay_nothing() -> None:
    assert coins_for(100, (10, 50), ()) == (0, 0)
    assert coins_for(100, (), ()) == ()


def test_full_tubes_of_sixteen_types_are_searched_in_reasonable_work() -> None:
    values = tuple(range(4, 36, 2))
    assert worth(coins_for(10_001, values, (255,) * 16), values) == 10_000

"""Ids: their form, and that a seed decides all of them."""

from __future__ import annotations

import re

from qstash_fake.broker.ids import Ids, token_id

BASE58 = "[1-9A-HJ-NP-Za-km-z]"


def test_ids_have_the_form_of_the_real_ones():
    ids = Ids(0)
    assert re.fullmatch(f"msg_{BASE58}{{59}}", ids.message())
    assert re.fullmatch(f"scd_{BASE58}{{28}}", ids.schedule())
    assert re.fullmatch(f"wfr_{BASE58}{{21}}", ids.run())
    assert re.fullmatch(f"jwt_{BASE58}{{28}}", token_id(ids.message(), 0))
    assert re.fullmatch(f"sig_{BASE58}{{28}}", ids.signing_key())


def test_equal_seeds_give_equal_ids_in_equal_order():
    one, other = Ids(7), Ids(7)
    assert [one.message(), one.schedule()] == [other.message(), other.schedule()]


def test_another_seed_gives_other_ids():
    assert Ids(0).message() != Ids(1).message()


def test_a_seed_may_have_any_number_of_digits():
    assert Ids(10**64).message() != Ids(2 * 10**64).message()


def test_no_id_comes_twice():
    ids = Ids(0)
    assert len({ids.message() for _ in range(10_000)}) == 10_000


def test_each_attempt_of_each_message_has_a_token_id_of_its_own():
    ids = Ids(0)
    one, other = ids.message(), ids.message()
    assert len({token_id(message, number) for message in (one, other) for number in range(1_000)}) == 2_000
    assert token_id(one, 3) == token_id(one, 3)


def test_a_forged_id_is_no_other_id_and_changes_no_later_one():
    forging, plain = Ids(7), Ids(7)
    forged = [forging.forged.message(), forging.forged.message()]
    genuine = [plain.message() for _ in range(10)]
    assert [forging.message() for _ in range(10)] == genuine
    assert len({*forged, *genuine}) == 12
    assert Ids(7).forged.message() == forged[0]

"""A replaced attribute: whatever others do to it meanwhile, nothing of ours acts once it has ended."""

import functools

import pytest

from qstash_fake.intercept.patch import Patch
from qstash_fake.intercept.seen import seen


class Owner:
    """What is patched."""

    def method(self):
        return "original"


@pytest.fixture(autouse=True)
def as_before():
    before = dict(vars(Owner))
    yield
    assert dict(vars(Owner)) == before


def ours(name):
    """A patch that says who answers, for as long as it is active."""
    patches: list[Patch] = []

    def make(original):
        @functools.wraps(original)
        def method(self):
            return f"{name} over {original(self)}" if patches[0].active else original(self)

        return method

    patches.append(Patch(Owner, "method", make))
    return patches[0]


def test_it_is_there_until_it_is_undone():
    patch = ours("one")
    assert Owner().method() == "one over original"
    patch.undo()
    assert Owner().method() == "original"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_each_can_end_first(order):
    patches = [ours("one"), ours("two")]
    assert Owner().method() == "two over one over original"
    patches[order[0]].undo()
    assert Owner().method() == ("two over original" if order[0] == 0 else "one over original")
    patches[order[1]].undo()
    assert Owner().method() == "original"


def test_what_others_put_over_it_stays_and_passes_through_it(monkeypatch):
    patch = ours("one")
    inner = Owner.method

    @functools.wraps(inner)  # copies the mark of ours
    def theirs(self):
        return f"theirs over {inner(self)}"

    with monkeypatch.context() as other:
        other.setattr(Owner, "method", theirs)
        patch.undo()
        assert Owner().method() == "theirs over original"
    assert Owner().method() == "original"  # by what is left of ours
    ours("two").undo()


def test_an_attribute_that_the_class_did_not_have_is_gone_afterwards():
    patch = Patch(Owner, "other", lambda original: lambda self: original)
    assert "other" in vars(Owner)
    patch.undo()
    assert "other" not in vars(Owner)


# --- attributes of instances ------------------------------------------------------------------------------------------


class Instance:
    """What has an attribute of its own."""

    def __init__(self):
        self.name = "its own"


def test_an_attribute_is_seen_through_something_also_of_instances_made_before():
    before = Instance()
    patch = seen(Instance, "name", str.upper)
    meanwhile = Instance()
    assert (before.name, meanwhile.name) == ("ITS OWN", "ITS OWN")
    meanwhile.name = "new"
    assert meanwhile.name == "NEW"
    patch.undo()
    assert (before.name, meanwhile.name) == ("its own", "new")


def test_an_attribute_can_be_deleted_and_is_missed_by_its_name():
    patch = seen(Instance, "name", str.upper)
    instance = Instance()
    del instance.name
    with pytest.raises(AttributeError, match="name"):
        _ = instance.name
    patch.undo()


def test_an_attribute_is_seen_through_two_the_inner_one_first():
    outer, inner = seen(Instance, "name", "<{}>".format), seen(Instance, "name", "[{}]".format)
    assert Instance().name == "[<its own>]"
    outer.undo()
    inner.undo()
    assert Instance().name == "its own"

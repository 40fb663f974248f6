"""Stop strings in a stream: none is shown and nothing else is lost, however the text is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inglenook.models.stop_strings import StopStrings

SMALL = st.text("ab é", max_size=30)


@given(SMALL, st.lists(st.text("ab é", min_size=1, max_size=4), max_size=3), st.data())
def test_text_ends_at_the_first_stop_string_however_it_is_cut(text, stops, data):
    stream = StopStrings(stops)
    shown, rest = "", text
    while rest and not stream.found:
        size = data.draw(st.integers(1, len(rest)))
        shown += stream.feed(rest[:size])
        rest = rest[size:]
    if stream.found:
        assert text.startswith(shown + stream.found)
        assert not any(stop in shown for stop in stops)
    else:
        assert shown + stream.finish() == text
        assert not any(stop in text for stop in stops)


def test_what_may_become_a_stop_string_waits():
    stream = StopStrings(("END",))
    assert [stream.feed(piece) for piece in ("to ", "E", "N", "d", " EN")] == [
        "to ",
        "",
        "",
        "ENd",
        " ",
    ]
    assert stream.finish() == "EN"

from __future__ import annotations

from prismctl.present.question import Choice, choice_lines
from prismctl.present.text import plain

CHOICES = [
    Choice("k", "end PID 12345"),
    Choice("a", "give prism-admin another port"),
    Choice("q", "stop here"),
]
ROW = "  k  end PID 12345      a  give prism-admin another port      q  stop here"


def test_choices_are_one_row_where_there_is_room() -> None:
    assert [plain(each) for each in choice_lines(CHOICES, width=len(ROW) + 1)] == [ROW]


def test_choices_are_one_below_the_other_where_there_is_none() -> None:
    assert [plain(each) for each in choice_lines(CHOICES, width=len(ROW))] == [
        "  k  end PID 12345",
        "  a  give prism-admin another port",
        "  q  stop here",
    ]


def test_an_answer_that_is_longer_than_a_narrow_terminal_is_folded_and_none_of_it_lost() -> None:
    answers = [
        Choice("s", "stop stack checkout-of-branch of the home /srv/second"),
        *CHOICES[1:],
    ]
    assert [plain(each) for each in choice_lines(answers, declining="q", width=40)] == [
        "  s  stop stack checkout-of-branch of",
        "     the home /srv/second",
        "  a  give prism-admin another port",
        "  q  stop here (Enter)",
    ]


def test_that_enter_gives_an_answer_is_seen_where_there_is_just_no_room_for_it() -> None:
    below = choice_lines(CHOICES, declining="a", width=40)
    assert [plain(each) for each in below][1:3] == [
        "  a  give prism-admin another port",
        "     (Enter)",
    ]


def test_the_choice_that_enter_takes_says_so() -> None:
    (row,) = choice_lines(CHOICES, declining="q", width=100)
    assert plain(row) == f"{ROW} (Enter)"
    below = choice_lines(CHOICES, declining="a", width=44)
    assert plain(below[1]) == "  a  give prism-admin another port (Enter)"
    assert "Enter" not in plain(below[2])


def test_words_from_outside_cannot_move_the_cursor() -> None:
    (only,) = choice_lines([Choice("a", "give \x1b[2Jweb another port")], width=80)
    assert plain(only) == "  a  give web another port"

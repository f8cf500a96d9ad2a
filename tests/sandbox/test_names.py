from tokenkit.sandbox import names


def test_names_and_comments_stand_once():
    for words in (names.GIVEN_NAMES, names.FAMILY_NAMES, names.PROGRAMS, names.COMMENTS, names.HOSTILE_COMMENTS):
        assert len(words) == len(set(words))
        assert all(words)


def test_some_names_need_more_than_ascii():
    assert 0 < sum(not name.isascii() for name in names.GIVEN_NAMES) < len(names.GIVEN_NAMES)


def test_hostile_comments_try_markup_formulas_cuts_and_lines():
    text = "".join(names.HOSTILE_COMMENTS)
    for attack in ("<img src=x onerror=alert(1)>", '=HYPERLINK("http://x"', '},{"', '"', "\n", "\r", "\u202e", "🔥"):
        assert attack in text

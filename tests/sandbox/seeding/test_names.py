from tokenkit.sandbox.seeding import names


def test_names_and_comments_are_unique():
    for texts in (
        names.GIVEN_NAMES,
        names.FAMILY_NAMES,
        names.SERVICE_PRINCIPAL_NAMES,
        names.COMMENTS,
        names.HOSTILE_COMMENTS,
    ):
        assert len(texts) == len(set(texts))
        assert all(texts)


def test_some_names_need_more_than_ascii():
    assert 0 < sum(not name.isascii() for name in names.GIVEN_NAMES) < len(names.GIVEN_NAMES)


def test_hostile_comments_try_markup_formulas_cuts_and_lines():
    text = "".join(names.HOSTILE_COMMENTS)
    for attack in ("<img src=x onerror=alert(1)>", '=HYPERLINK("http://x"', '},{"', '"', "\n", "\r", "\u202e", "🔥"):
        assert attack in text

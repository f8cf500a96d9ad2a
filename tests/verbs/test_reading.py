"""What the reading verbs make of what was typed."""

import pandas as pd
import pytest

from tokenkit import errors
from tokenkit.verbs import reading


def test_an_id_that_several_tokens_begin_with_is_shown_with_them(workspace):
    listing = pd.DataFrame({"token_id": ["ab" * 30 + end * 4 for end in "12"] + ["abababab77" + "0" * 54]})
    assert reading.whole_ids(["abababab7"], listing, workspace) == [listing["token_id"][2]]
    with pytest.raises(errors.UsageError) as error:
        reading.whole_ids(["abababab"], listing, workspace)
    said = str(error.value)
    assert "has 3 tokens whose ids begin with 'abababab': abababababab" in said
    assert "abababab770000" in said
    assert said.endswith("Give more characters.")

import contextlib
import sqlite3
import threading

import pytest

from tokenkit.sandbox.database import Database, DatabaseUnusableError


@pytest.fixture
def database():
    database = Database()
    with database.build():
        pass
    yield database
    database.close()


def put(database, name):
    database.change("INSERT INTO properties VALUES (?, 'x')", (name,))


def put_and_fail(database, block):
    with block:
        put(database, "a")
        raise RuntimeError


def names(database):
    return {name for (name,) in database.rows("SELECT name FROM properties")}


def test_a_block_that_raises_leaves_nothing(database):
    with pytest.raises(RuntimeError):
        put_and_fail(database, database.transaction())
    assert names(database) == set()
    with database.transaction():
        put(database, "b")
    assert names(database) == {"b"}


def test_an_inner_transaction_joins_the_outer(database):
    def fail():
        with database.transaction():
            with database.transaction():
                put(database, "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(database) == set()


def test_no_other_thread_gets_into_a_transaction(database):
    inside, seen = threading.Event(), []

    def look():
        inside.wait(10)
        seen.append(names(database))

    thread = threading.Thread(target=look)
    thread.start()
    with database.transaction():
        put(database, "a")
        inside.set()
        put(database, "b")
    thread.join(10)
    assert seen == [{"a", "b"}]


def test_seeding_that_fails_leaves_a_new_file_new(tmp_path):
    path = tmp_path / "a.db"
    database = Database(path)
    with pytest.raises(RuntimeError):
        put_and_fail(database, database.build())
    database.close()
    again = Database(path)
    assert again.is_new
    again.close()


@pytest.mark.parametrize("kind", ["folder", "missing folder", "text", "another's"])
def test_a_file_that_cannot_be_used_is_named_in_one_line(tmp_path, kind):
    path = tmp_path / "a.db"
    if kind == "folder":
        path.mkdir()
    elif kind == "missing folder":
        path = tmp_path / "no" / "a.db"
    elif kind == "text":
        path.write_text("these are my notes, and they must stay " * 100)
    else:
        database = Database(path)
        database.change("CREATE TABLE mine (a)")
        database.close()
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(DatabaseUnusableError) as error:
        Database(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    if kind == "text":
        assert path.read_bytes() == before


def test_a_file_that_was_open_to_others_is_the_owners_alone_and_one_of_another_is_left(tmp_path):
    file = tmp_path / "sandbox.sqlite"
    file.touch(mode=0o666)
    file.chmod(0o666)
    with contextlib.closing(Database(file)) as database, database.build():
        pass
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}
    other = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE other (a)")
    other.chmod(0o644)
    with pytest.raises(DatabaseUnusableError):
        Database(other)
    assert other.stat().st_mode & 0o777 == 0o644

import contextlib
import sqlite3
import threading

import pytest

from tokenkit.sandbox.state.database import Database, DatabaseUnusableError


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


def test_a_block_that_raises_is_rolled_back(database):
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


def test_another_thread_waits_for_a_transaction(database):
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
def test_an_unusable_file_is_a_one_line_error_with_its_name(tmp_path, kind):
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


def test_a_sandbox_file_is_restricted_to_its_owner_and_another_file_is_unchanged(tmp_path):
    file = tmp_path / "sandbox.sqlite"
    file.touch(mode=0o666)
    file.chmod(0o666)
    with contextlib.closing(Database(file)) as database, database.build():
        pass
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    other = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE other (a)")
    other.chmod(0o644)
    with pytest.raises(DatabaseUnusableError):
        Database(other)
    assert other.stat().st_mode & 0o777 == 0o644

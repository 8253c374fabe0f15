"""People: creation, signing in, and whose rows are shown."""

from __future__ import annotations

import contextvars
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
from sqlalchemy import event

import mismartera_analytics as ma
from mismartera_analytics import auth
from mismartera_analytics.errors import (
    DuplicateError,
    InvalidInputError,
    NotAllowedError,
    UnknownNameError,
)
from mismartera_analytics.models import User
from mismartera_analytics.models import database as db

pytestmark = pytest.mark.usefixtures("ready_database")


def test_the_right_password_signs_in() -> None:
    user = ma.create_user("ada", "ada@example.com", "correct horse")
    assert user.id
    assert user.created_at is not None
    assert user.created_at.tzinfo is not None
    assert user.hashed_password.startswith("$2b$")
    assert "correct horse" not in user.hashed_password + repr(user)
    found = ma.authenticate_user("ada", "correct horse")
    assert found is not None
    assert found.id == user.id


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("ada", ""),
        ("nobody", "correct horse"),
        ("ada", "correct horse" + "x" * 80),
        ("ada", "correct \ud800 horse"),
        ("ada", "correct\0horse"),
        ("ada", None),
        ("a\0da", "correct horse"),
        ("\ud800", "correct horse"),
        (5, "correct horse"),
        ("", ""),
    ],
)
def test_anything_else_does_not(name: str, password: str) -> None:
    ma.create_user("ada", "ada@example.com", "correct horse")
    assert ma.authenticate_user(name, password) is None


def test_a_password_is_compared_beyond_what_bcrypt_reads() -> None:
    ma.create_user("ada", "ada@example.com", "x" * 72)
    assert ma.authenticate_user("ada", "x" * 72) is not None
    assert ma.authenticate_user("ada", "x" * 73) is None


def test_an_inactive_user_is_refused() -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    with db.session_scope() as db_session:
        db_session.query(User).update({"is_active": False})
    assert ma.authenticate_user("ada", "pw") is None
    with pytest.raises(NotAllowedError, match="inactive"), ma.as_user("ada"):
        pass


@pytest.mark.parametrize("hashed", ["plain", "", "!", "$2b$", "$2b$12$short", "$2b$12$" + "é" * 53])
def test_a_row_without_a_readable_hash_never_signs_in(hashed: str) -> None:
    with db.session_scope() as db_session:
        db_session.add(User(username="old", email="old@example.com", hashed_password=hashed))
    assert ma.authenticate_user("old", hashed) is None


@pytest.mark.parametrize(
    ("name", "email", "password", "error", "words"),
    [
        ("ada", "new@example.com", "pw", DuplicateError, "username='ada' is taken"),
        ("new", "ada@example.com", "pw", DuplicateError, "email='ada@example.com' is taken"),
        ("new", "new@example.com", "é" * 37, InvalidInputError, "74 bytes.*at most 72"),
        ("new", "new@example.com", "", InvalidInputError, "password is empty"),
        ("new", "new@example.com", "a\0b", InvalidInputError, "NUL"),
        ("new", "new@example.com", "\ud800", InvalidInputError, "half of a character"),
        ("", "new@example.com", "pw", InvalidInputError, "username="),
        ("new ", "new@example.com", "pw", InvalidInputError, "username="),
        ("n" * 101, "new@example.com", "pw", InvalidInputError, "101 characters"),
        ("new", "no address", "pw", InvalidInputError, "email="),
        ("a\x1b[2J", "new@example.com", "pw", InvalidInputError, "printed"),
    ],
)
def test_a_bad_user_is_refused_and_nothing_written(
    name: str, email: str, password: str, error: type[Exception], words: str
) -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    with pytest.raises(error, match=words) as caught:
        ma.create_user(name, email, password)
    assert password == "" or len(password) < 3 or password not in str(caught.value)
    with db.SessionLocal() as db_session:
        assert db_session.query(User).count() == 1


def test_of_several_who_ask_for_a_name_at_once_one_gets_it() -> None:
    gate = threading.Barrier(4)

    def create(_: int) -> str:
        gate.wait()
        try:
            ma.create_user("ada", "ada@example.com", "pw")
        except DuplicateError as error:
            return str(error)
        return "created"

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(create, range(4)))
    assert said.count("created") == 1, said
    assert sum(text.endswith("is taken; choose another.") for text in said) == 3, said


def test_set_password_replaces_the_old_one() -> None:
    ma.create_user("ada", "ada@example.com", "old")
    auth.set_password("ada", "new")
    assert ma.authenticate_user("ada", "old") is None
    assert ma.authenticate_user("ada", "new") is not None


def test_a_wrong_name_costs_the_time_of_a_wrong_password() -> None:
    ma.configure(bcrypt_rounds=10)
    ma.create_user("ada", "ada@example.com", "pw")

    def seconds(name: str) -> float:
        begun = time.process_time()
        ma.authenticate_user(name, "wrong")
        return time.process_time() - begun

    seconds("nobody")
    pairs = [(seconds("ada"), seconds("nobody")) for _ in range(7)]
    known, unknown = (statistics.median(side) for side in zip(*pairs, strict=True))
    assert unknown == pytest.approx(known, rel=0.35)


def test_as_user_nests_and_ends() -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    ma.create_user("root", "root@example.com", "pw", superuser=True)
    assert auth.current_user() is None
    with ma.as_user("root") as root:
        assert root.is_superuser
        with ma.as_user("ada"):
            identity = auth.current_user()
            assert identity is not None
            assert identity.username == "ada"
            with (
                pytest.raises(NotAllowedError, match="'ada' may not act as another user"),
                ma.as_user("root"),
            ):
                pass
            with pytest.raises(NotAllowedError, match="may not create users"):
                ma.create_user("eve", "eve@example.com", "pw")
            with pytest.raises(NotAllowedError, match="another user's password"):
                auth.set_password("root", "pw")
        assert auth.current_user() == root
    assert auth.current_user() is None


@pytest.mark.parametrize("name", ["bob", "bobb", 2, 99])
def test_nobody_learns_who_else_there_is(name: str | int) -> None:
    for known in ("ada", "bob"):
        ma.create_user(known, f"{known}@example.com", "pw")
    with ma.as_user("ada"):
        with pytest.raises(NotAllowedError, match="'ada' may not act as another"), ma.as_user(name):
            pass
        with pytest.raises(NotAllowedError, match="another user's password"):
            auth.set_password(name, "pw")
        with pytest.raises(NotAllowedError, match="only their own rows"):
            ma.orders(user=name)
        auth.set_password("ada", "new")


def test_the_scope_is_the_threads_own_unless_its_context_is_copied() -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    with ThreadPoolExecutor(1) as pool, ma.as_user("ada") as ada:
        assert pool.submit(auth.current_user).result() is None
        assert pool.submit(contextvars.copy_context().run, auth.current_user).result() == ada


def test_an_unknown_user_suggests_the_nearest() -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    with pytest.raises(UnknownNameError, match="did you mean 'ada'"), ma.as_user("adaa"):
        pass


def _stored(name: str) -> str:
    with db.SessionLocal() as db_session:
        return str(db_session.query(User.hashed_password).filter_by(username=name).scalar())


def test_a_hash_of_a_lower_cost_is_renewed_when_its_owner_signs_in() -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    old = _stored("ada")
    ma.configure(bcrypt_rounds=6)
    assert ma.authenticate_user("ada", "wrong") is None
    assert _stored("ada") == old
    found = ma.authenticate_user("ada", "pw")
    assert found is not None
    renewed = _stored("ada")
    assert renewed.startswith("$2b$06$")
    assert ma.authenticate_user("ada", "pw") is not None
    assert _stored("ada") == renewed, "a hash of the cost in force is left alone"
    ma.configure(bcrypt_rounds=4)
    assert ma.authenticate_user("ada", "pw") is not None
    assert _stored("ada") == renewed, "a lower setting weakens no hash"


def test_an_inactive_user_s_hash_is_not_renewed() -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    with db.session_scope() as db_session:
        db_session.query(User).update({"is_active": False})
    old = _stored("ada")
    ma.configure(bcrypt_rounds=6)
    assert ma.authenticate_user("ada", "pw") is None
    assert _stored("ada") == old


def test_signing_in_does_not_wait_for_another_writer(caplog: pytest.LogCaptureFixture) -> None:
    ma.create_user("ada", "ada@example.com", "secret word")
    old = _stored("ada")
    ma.configure(bcrypt_rounds=5)
    with db.session_scope() as other:
        other.query(User).update({"email": "held@example.com"})
        other.flush()
        begun = time.monotonic()
        assert ma.authenticate_user("ada", "secret word") is not None
        assert time.monotonic() - begun < 10
    assert _stored("ada") == old
    (record,) = [one for one in caplog.records if one.name == "mismartera_analytics.auth"]
    assert "keeps its old cost" in record.getMessage()
    assert "secret word" not in caplog.text
    assert old not in caplog.text
    assert ma.authenticate_user("ada", "secret word") is not None
    assert _stored("ada").startswith("$2b$05$")


def test_signing_in_works_where_nothing_can_be_written(
    ready_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    ma.configure(bcrypt_rounds=5)
    is_sqlite = ready_database.startswith("sqlite")
    forbid = "PRAGMA query_only = ON" if is_sqlite else "SET TRANSACTION READ ONLY"
    event.listen(db.engine, "begin", lambda connection: connection.exec_driver_sql(forbid))
    assert ma.authenticate_user("ada", "pw") is not None
    assert "cannot be written now" in caplog.text


def test_a_password_set_meanwhile_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    ma.create_user("ada", "ada@example.com", "old")
    ma.configure(bcrypt_rounds=5)
    original = auth._renew_hash

    def late(number: int, password: str, hashed: str) -> None:
        auth.set_password("ada", "new")
        original(number, password, hashed)

    with monkeypatch.context() as patch:
        patch.setattr(auth, "_renew_hash", late)
        ma.authenticate_user("ada", "old")
    assert ma.authenticate_user("ada", "new") is not None
    assert ma.authenticate_user("ada", "old") is None


def test_a_hash_too_dear_to_try_never_signs_in() -> None:
    with db.session_scope() as db_session:
        hashed = f"$2b$31${'.' * 22}{'O' * 31}"
        db_session.add(User(username="slow", email="s@example.com", hashed_password=hashed))
    begun = time.monotonic()
    assert ma.authenticate_user("slow", "pw") is None
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("cost", [4, 6, 8])
def test_every_refusal_hashes_as_much(cost: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count iterations instead of seconds, whatever cost a hash has and whatever is in force."""
    ma.configure(bcrypt_rounds=cost)
    ma.create_user("ada", "ada@example.com", "pw")
    ma.create_user("gone", "gone@example.com", "pw")
    with db.session_scope() as db_session:
        db_session.query(User).filter_by(username="gone").update({"is_active": False})
    ma.configure(bcrypt_rounds=6)
    spent: list[int] = []
    real = bcrypt.hashpw

    def counting(password: bytes, salt: bytes) -> bytes:
        spent.append(2 ** int(salt[4:6]))
        return real(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", counting)
    tries = [("ada", "wrong"), ("nobody", "pw"), ("gone", "wrong"), ("gone", "pw"), ("ada", ""),
             ("ada", "x" * 80), ("\ud800", "pw"), ("ada", None)]  # fmt: skip
    ma.authenticate_user("nobody", "first")
    for name, password in tries:
        spent.clear()
        assert ma.authenticate_user(name, password) is None
        assert sum(spent) == 2 ** max(cost, 6), (name, password, spent)

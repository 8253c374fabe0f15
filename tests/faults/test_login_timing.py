"""Signing in takes the same time whatever is wrong, and a leak of a twentieth would be seen."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
import pytest
from passlib.context import CryptContext
from scipy import stats

import mismartera_analytics as ma
from mismartera_analytics.models import User
from mismartera_analytics.models import database as db
from tests.faults.scale import scaled

logger = logging.getLogger(__name__)
COST = 9  # about 20 ms, so that 2,000 tries end in a minute or two
TRIES = scaled(25, 500)
BOUND = scaled(4, 2) / 100  # of the whole: a smaller difference of medians is not called a leak
KINDS = {
    "wrong password": "ada",
    "unknown name": "nobody",
    "old hash": "old",
    "old, one below": "older",
    "inactive": "gone",
    "inactive, right password": "gone",
    "unreadable hash": "broken",
}

pytestmark = pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)


@pytest.fixture
def people(ready_database: str) -> None:
    """Make people with hashes of the cost in force and of lower ones."""
    ma.configure(bcrypt_rounds=COST)

    def hashed(rounds: int) -> str:
        return str(CryptContext(["bcrypt"], bcrypt__rounds=rounds).hash("pw"))

    hashes = {"ada": COST, "old": COST - 4, "older": COST - 1, "gone": COST}
    with db.session_scope() as db_session:
        db_session.add_all(
            User(username=name, email=f"{name}@example.com", hashed_password=hashed(rounds),
                 is_active=name != "gone")
            for name, rounds in hashes.items()
        )  # fmt: skip
        db_session.add(User(username="broken", email="b@example.com", hashed_password="!"))


def measured(kinds: dict[str, str], sign_in: Callable[[str, str], object]) -> dict[str, np.ndarray]:
    """Return the processor time of each try [s], the kinds in random order within each round."""
    random = np.random.default_rng(20250702)
    names = list(kinds)
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(TRIES):
        for place in random.permutation(len(names)):
            name = names[place]
            password = "pw" if "right" in name else "wrong"
            begun = time.thread_time()
            answer = sign_in(kinds[name], password)
            found[name].append(time.thread_time() - begun)
            assert answer is None
    return {name: np.array(times) for name, times in found.items()}


def leak(times: np.ndarray, others: np.ndarray) -> tuple[float, float, float]:
    """Return the difference of medians as a share, the chance to tell a try apart, and a p-value.

    The chance is the Mann-Whitney statistic over all pairs: a half says nothing, one everything.
    """
    share = float(np.median(times) / np.median(others) - 1)
    test = stats.mannwhitneyu(times, others)
    return share, float(test.statistic) / (len(times) * len(others)), float(test.pvalue)


def told(label: str, found: dict[str, np.ndarray]) -> dict[str, tuple[float, float, float]]:
    base = found["wrong password"]
    leaks = {name: leak(times, base) for name, times in found.items() if times is not base}
    for name, (share, chance, p) in leaks.items():
        logger.info(
            "%s, %d tries each: %s against wrong password: median %.2f against %.2f ms (%+.2f %%), "
            "told apart %.3f, p = %.3f",
            label, len(base), name, np.median(found[name]) * 1e3, np.median(base) * 1e3, share * 100,
            chance, p,
        )  # fmt: skip
    return leaks


def test_whatever_is_wrong_takes_the_same_time(people: None) -> None:
    found = measured(KINDS, ma.authenticate_user)
    for name, (share, chance, p) in told("as it is", found).items():
        assert abs(share) < BOUND, (name, share, chance, p)


def naive(name: str, password: str) -> User | None:
    """Sign in as most programs do: a name that is not there is refused at once."""
    context = CryptContext(["bcrypt"], bcrypt__rounds=COST)
    with db.SessionLocal() as db_session:
        user = db_session.query(User).filter_by(username=name).first()
    if user is None or not user.is_active or not user.hashed_password.startswith("$2"):
        context.dummy_verify() if name == "nobody" else None
        return None
    return user if context.verify(password, user.hashed_password) else None


def test_a_leak_would_be_seen(people: None) -> None:
    """The usual half-measure, a dummy hash for unknown names, fails for old hashes and the inactive."""
    kinds = {name: KINDS[name] for name in ("wrong password", "old hash", "inactive")}
    leaks = told("naive", measured(kinds, naive))
    assert {name for name, (share, _, _) in leaks.items() if abs(share) > BOUND} == set(leaks)
    assert all(abs(chance - 0.5) > 0.4 for _, chance, _ in leaks.values())


def test_a_leak_of_a_twentieth_would_be_seen(people: None) -> None:
    base = measured({"wrong password": "ada"}, ma.authenticate_user)["wrong password"]
    share, _, _ = leak(np.random.default_rng(1).permutation(base) * 1.05, base)
    assert share > BOUND
    assert leak(base, base)[1] == 0.5

"""Where bars may lie, and what is said when a place cannot be reached."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.errors import BarsNotFoundError, InvalidInputError, StorageError
from mismartera_analytics.market_data import buckets
from mismartera_analytics.market_data.layout import layout_of
from mismartera_analytics.market_data.places import Place, place_of
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.doctor import doctor
from mismartera_analytics.operations.restoring import restore
from tests.market_data.conftest import make_minutes

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def place(either_uri: str) -> Place:
    return place_of(either_uri).below("1m")


def put(place: Place, path: str, content: bytes) -> int:
    def save(where: object) -> None:
        if isinstance(where, Path):
            where.write_bytes(content)
        else:
            where.write(content)  # type: ignore[attr-defined]

    return place.write(path, save)


@pytest.mark.parametrize("name", ["a", "symbol=A/year=2025/x", "symbol=^G=X+1/x y%20z"])
def test_files_come_go_and_are_listed(place: Place, name: str) -> None:
    assert place.stamp(name) is None
    assert place.listed() == []
    assert put(place, name, b"12345") == 5
    first = place.stamp(name)
    assert first is not None
    (found,) = place.listed()
    assert (found.path, found.size) == (name, 5)
    assert abs(found.modified - time.time()) < 60
    with place.filesystem.open_input_file(place.full(name)) as file:
        assert file.read() == b"12345"
    time.sleep(0.01)
    put(place, name, b"678")
    assert place.stamp(name) not in (None, first)
    place.delete(name)
    place.delete(name)
    assert place.stamp(name) is None
    assert place.listed() == []


def test_what_breaks_off_leaves_no_file(place: Place) -> None:
    def save(where: object) -> None:
        if isinstance(where, Path):
            where.write_bytes(b"half")
        else:
            where.write(b"half")  # type: ignore[attr-defined]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        place.write("x", save)
    assert place.listed() == []


@pytest.mark.parametrize(
    "uri", ["gs://bucket/bars", "s3://", "s3:///bars", "s3://Bucket/x", "s3://bucket/../x"]
)
def test_an_address_of_another_kind_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInputError, match="uri="):
        place_of(uri)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("s3://bars", "s3://bars"),
        ("s3://bars/", "s3://bars"),
        ("s3a://bars/a//b/", "s3://bars/a/b"),
        ("/tmp/x/", "/tmp/x"),
        (Path("/tmp/x"), "/tmp/x"),
    ],
)
def test_addresses_have_one_form(uri: str | Path, shown: str) -> None:
    assert place_of(uri).uri == shown
    assert BarStore(uri).uri == shown
    assert place_of(uri) == place_of(shown)
    assert hash(place_of(uri)) == hash(place_of(shown))


ODD = ["[", "]", "^", "|", "\\", "\t", "\n", "\x7f", "\x85", "%20", "%2F", "%c3%a9", "%2520"]
ODD_IN_A_PREFIX = [*ODD, "#", "?"]


@pytest.mark.parametrize("sign", ODD)
def test_a_folder_that_the_delta_format_reads_as_another_is_refused(tmp_path: Path, sign: str):
    """delta-rs panics at brackets and looks for the blank that it takes %20 for."""
    for name in (f"a{sign}b", sign, f"a{sign}", f"a{sign}b/c"):
        with pytest.raises(InvalidInputError, match="name another place"):
            BarStore(tmp_path / name).write(make_minutes(), "1m")
    assert not list(tmp_path.iterdir())


def test_who_has_no_bars_may_work_in_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "my [old] 100%20 ^desk|"
    monkeypatch.setenv("MISMARTERA_HOME", str(home))
    ma.configure()
    ma.init_db()
    assert ma.sql("select count(*) as n from orders")["n"].item() == 0
    assert doctor(progress=False).is_well
    back_up(tmp_path / "b.zip", progress=False)
    elsewhere = tmp_path / "else^where"
    restore(
        tmp_path / "b.zip", database_url=f"sqlite:///{elsewhere / 'x.db'}",
        bar_store=str(elsewhere / "bars"), progress=False,
    )  # fmt: skip
    with pytest.raises(BarsNotFoundError):
        ma.bars("AAPL", "1d")
    with pytest.raises(InvalidInputError, match="name another place"):
        ma.ingest_bars(make_minutes(), "1m", progress=False)
    (home / "data" / "bars" / "1d" / "_delta_log").mkdir(parents=True)
    with pytest.raises(InvalidInputError, match="name another place"):
        ma.bars("AAPL", "1d")


@pytest.mark.parametrize("sign", ODD_IN_A_PREFIX)
def test_a_prefix_that_the_delta_format_reads_as_another_is_refused(s3: str, sign: str):
    for name in (f"a{sign}b", sign, f"a{sign}", f"a{sign}b/c", "a/b "):
        with pytest.raises(InvalidInputError, match=r"MISMARTERA_BAR_STORE|in a URL they"):
            BarStore(f"{s3}/{name}").write(make_minutes(), "1m")
    assert place_of(s3).listed() == []


@pytest.mark.parametrize("signs", ["% %zz %2", "~+&=@(){}'", '"`,;:!$*<>', "é 日本 a.b"])
def test_every_other_sign_may_be_in_a_name(either_uri: str, signs: str) -> None:
    """And what is written lies where the place says."""
    for name in (signs, f"a{signs}/y{signs}y"):
        store = BarStore(f"{either_uri}/{name}")
        store.write(make_minutes(), "1m")
        assert len(store.read("AAPL", "1m")) == len(make_minutes())
        assert place_of(f"{either_uri}/{name}").listed()


def test_no_secret_is_shown(s3: str) -> None:
    assert "secret" not in repr(place_of(s3))


def test_the_setting_takes_an_address(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISMARTERA_BAR_STORE", s3)
    assert config.configure().bar_store == s3
    bars = make_minutes()
    ma.BarStore().write(bars, "1m")
    read = ma.bars("AAPL", "1m")
    pd.testing.assert_series_equal(read["close"], bars["close"])
    assert place_of(s3).listed()


def test_credentials_may_come_from_a_profile(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    BarStore(s3).write(make_minutes(), "1m")
    file = tmp_path / "credentials"
    file.write_text("[research]\naws_access_key_id = key\naws_secret_access_key = secret\n")
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "research")
    store = BarStore(s3)
    assert store.write(make_minutes(seed=1), "1m") == 1
    assert len(store.read("AAPL", "1m")) == 5


@pytest.fixture
def signed() -> Iterator[tuple[str, set[tuple[str, str]]]]:
    """Answer like an empty bucket, and note whose key signs the requests for which region."""
    seen: set[tuple[str, str]] = set()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key, _, region, *_ = self.headers["Authorization"].split("Credential=")[1].split("/")
            seen.add((key, region))
            is_list = "list-type" in self.path
            content = b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"
            self.send_response(200 if is_list else 404)
            self.send_header("Content-Length", str(len(content) if is_list else 0))
            self.end_headers()
            self.wfile.write(content if is_list else b"")

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


def test_both_clients_use_the_same_key_and_region(
    s3: str,
    signed: tuple[str, set[tuple[str, str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint, seen = signed
    lines = (f"[{n}]\naws_access_key_id={n}-key\naws_secret_access_key=s\n" for n in ("one", "two"))
    (tmp_path / "credentials").write_text("".join(lines))
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    for profile in ("one", "two"):
        monkeypatch.setenv("AWS_PROFILE", profile)
        seen.clear()
        assert BarStore(s3).symbols("1m") == []
        assert place_of(s3).stamp("x") is None
        assert seen == {(f"{profile}-key", "ap-south-1")}
    monkeypatch.delenv("AWS_REGION")
    seen.clear()
    assert BarStore(f"{s3}/z").symbols("1m") == []
    assert place_of(s3).stamp("x") is None
    assert len(seen) == 1, "the clients do not agree on the region"


@pytest.fixture
def silent() -> Iterator[str]:
    """Listen and never answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def refused(uri: str, message: str, *, within: float) -> None:
    store = BarStore(uri)
    for action in (
        lambda: store.read("AAPL", "1m"),
        lambda: store.write(make_minutes(), "1m"),
        lambda: store.dataset("1m"),
    ):
        began = time.monotonic()
        with pytest.raises(StorageError, match=message):
            action()
        assert time.monotonic() - began < within


def test_a_bucket_that_is_not_there(s3: str) -> None:
    refused("s3://nobody-made-this/bars", "there is no bucket 'nobody-made-this'", within=5)


def test_nobody_listens(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    refused(s3, "http://127.0.0.1:9 does not answer; check the network", within=8)


def test_no_such_host(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://no-such-host.invalid:9000")
    refused(s3, "does not answer", within=15)


def test_a_server_that_never_answers(s3: str, silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_ANSWER_SECONDS", 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", silent)
    with pytest.raises(StorageError, match="does not answer"):
        BarStore(s3).read("AAPL", "1m")


def test_no_credentials(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    # Stands for a machine without a role.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    refused(s3, "no AWS credentials were found; set AWS_ACCESS_KEY_ID", within=10)
    for name in KEYS:
        monkeypatch.setenv(name, "key")
    assert BarStore(s3).write(make_minutes(), "1m") == 0, "credentials set afterwards are used"


def test_a_history_that_cannot_be_read_is_said(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mismartera_analytics.market_data import bar_table

    def fails(*arguments: object) -> None:
        raise OSError("Generic S3 error: operation timed out")

    store = BarStore(s3)
    store.write(make_minutes(), "1m")
    monkeypatch.setattr(bar_table, "read_commits", fails)
    with pytest.raises(StorageError, match=r"the history of .* does not answer"):
        store.versions("1m")
    BarStore(s3).write(make_minutes(seed=1), "1m")
    monkeypatch.setattr(bar_table, "read_snapshot", fails)
    with pytest.raises(StorageError, match=r"the bar table .* does not answer"):
        bar_table.BarTable(place_of(s3).below("1m"), layout_of("1m")).snapshot()


def test_a_server_that_goes_away_while_it_is_used(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BarStore(s3)
    store.write(make_minutes(), "1m")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="does not answer"):
        store.write(make_minutes(seed=2), "1m")

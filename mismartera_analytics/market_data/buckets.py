"""Bars on S3: how a bucket is reached, and what it means when it is not."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mismartera_analytics.config import HiddenText, without_password
from mismartera_analytics.errors import InvalidInputError, StorageError, as_given
from mismartera_analytics.market_data.places import FileFound, on_one_line, refuse_odd_signs

__all__ = ["BucketPlace", "bucket_place"]

_CONNECT_SECONDS, _ANSWER_SECONDS, _ATTEMPTS = 3, 10, 3
_PROFILE = (
    "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)  # fmt: skip
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")


class _Access(NamedTuple):
    """How to reach S3, as the environment says it now; no keys where a profile or a role has them.

    `profile` is what the clients read themselves, so that another one makes another client.
    """

    profile: tuple[str | None, ...]
    endpoint: str | None
    region: str | None
    key: str | None
    secret: str | None
    token: str | None


def _access(environment: Mapping[str, str]) -> _Access:
    profile = tuple(environment.get(name) for name in _PROFILE)
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return _Access(profile, endpoint or None, region or None, None, None, None)
    token = environment.get("AWS_SESSION_TOKEN")
    hidden = HiddenText(token) if token else None
    return _Access(profile, endpoint or None, region or None, key, HiddenText(secret), hidden)


@functools.lru_cache(maxsize=8)
def _s3(access: _Access) -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    return S3FileSystem(
        access_key=access.key,
        secret_key=access.secret,
        session_token=access.token,
        region=access.region,
        endpoint_override=access.endpoint,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_ANSWER_SECONDS,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        allow_delayed_open=True,
    )


@dataclass(frozen=True)
class BucketPlace:
    """A prefix of an S3 bucket.

    Attributes
    ----------
    bucket, prefix
        The prefix has no slash at its ends and may be empty.
    """

    bucket: str
    prefix: str
    _access: _Access = field(repr=False)
    is_remote = True
    threads = 16

    @property
    def uri(self) -> str:
        """The address, such as ``s3://bucket/bars``."""
        return f"s3://{self.full('')}".rstrip("/")

    @property
    def options(self) -> dict[str, str]:
        """Endpoint, region and credentials, with limits that fail within seconds."""
        access = self._access
        given = {
            "AWS_ENDPOINT_URL": access.endpoint,
            # delta-rs does not look for the region of a profile, pyarrow does.
            "AWS_REGION": access.region or self.filesystem.region or None,
            "AWS_ACCESS_KEY_ID": access.key,
            "AWS_SECRET_ACCESS_KEY": access.secret,
            "AWS_SESSION_TOKEN": access.token,
            # Without it delta-rs looks for no profile and no role where an endpoint is named.
            "AWS_FORCE_CREDENTIAL_LOAD": None if access.key else "true",
            "AWS_ALLOW_HTTP": "true" if (access.endpoint or "").startswith("http://") else None,
            "AWS_CONDITIONAL_PUT": "etag",
            "connect_timeout": f"{_CONNECT_SECONDS}s",
            "timeout": f"{_ANSWER_SECONDS}s",
            "max_retries": str(_ATTEMPTS - 1),
            "retry_timeout": f"{_ANSWER_SECONDS}s",
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def filesystem(self) -> Any:
        """Pyarrow's, one for all places with the same access."""
        return _s3(self._access)

    def check_name(self) -> None:
        """Do nothing: `bucket_place` makes no place that would have to be refused."""

    def below(self, name: str) -> BucketPlace:
        """Return the place of a longer prefix."""
        return BucketPlace(self.bucket, f"{self.prefix}/{name}".lstrip("/"), self._access)

    def full(self, path: str) -> str:
        """Return bucket and key."""
        return "/".join(part for part in (self.bucket, self.prefix, path) if part)

    def stamp(self, path: str) -> str | None:
        """Return the ETag, at the cost of one HEAD request.

        Raises
        ------
        StorageError
            If the bucket cannot be reached.
        """
        try:
            with self.filesystem.open_input_file(self.full(path)) as file:
                return str(file.metadata().get("ETag"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{self.uri} cannot be read: {self.said(error)}.") from None

    def write(self, path: str, save: Callable[[Any], None]) -> int:
        """Make an object. It is put together in memory, so that what breaks off leaves none."""
        import pyarrow as pa

        buffer = pa.BufferOutputStream()
        save(buffer)
        content = buffer.getvalue()
        with self.filesystem.open_output_stream(self.full(path)) as stream:
            stream.write(content)
        return int(content.size)

    def settle(self, path: str) -> None:
        """Do nothing: an object that was accepted is settled."""

    def delete(self, path: str) -> None:
        """Delete an object if it is there."""
        try:
            self.filesystem.delete_file(self.full(path))
        except FileNotFoundError:
            return

    def listed(self) -> list[FileFound]:
        """Return every object below."""
        from pyarrow.fs import FileSelector, FileType

        below = self.full("")
        everything = FileSelector(below, recursive=True, allow_not_found=True)
        return [
            FileFound(info.path.removeprefix(f"{below}/"), info.size, info.mtime_ns / 1e9)
            for info in self.filesystem.get_file_info(everything)
            if info.type == FileType.File
        ]

    def said(self, error: Exception) -> str:
        """Return in words why S3 refused, or what it said itself."""
        text = str(error)
        for pattern, words in _CAUSES:
            if re.search(pattern, text, re.IGNORECASE):
                where = self._access.endpoint or "Amazon S3"
                return words.format(bucket=self.bucket, where=where)
        return on_one_line(text)


_CAUSES = (
    (r"NoSuchBucket", "there is no bucket {bucket!r} at {where}; create it or name another"),
    (
        r"loading credentials|no credentials found|169\.254\.169\.254|CredentialsNotLoaded",
        "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "or AWS_PROFILE",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken",
        "{where} does not accept the AWS credentials",
    ),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|301 Moved",
        "the bucket {bucket!r} lies in another region; set AWS_REGION to it",
    ),
    (
        r"AccessDenied|ACCESS_DENIED|403 Forbidden",
        "the AWS credentials do not allow it in bucket {bucket!r}",
    ),
    (
        r"NETWORK_CONNECTION|error sending request|timed out|client error \(Connect\)",
        "{where} does not answer; check the network and AWS_ENDPOINT_URL",
    ),
)
"""What the two libraries say, and what it means."""


def bucket_place(uri: str, environment: Mapping[str, str]) -> BucketPlace:
    """Return the place that an address on S3 names, with the access that an environment describes.

    Parameters
    ----------
    uri
        ``s3://bucket/prefix``.
    environment
        Such as `os.environ`.

    Returns
    -------
    BucketPlace

    Raises
    ------
    InvalidInputError
        If it is an address of another kind, names no bucket, or has a sign in it that the Delta
        format does not read as itself.

    Examples
    --------
    >>> bucket_place("s3://market/bars/", {}).below("1m").uri
    's3://market/bars/1m'
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme not in ("s3", "s3a") or not _BUCKET.match(bucket):
        raise InvalidInputError(
            f"uri={as_given(without_password(uri))}: bars lie in a folder of this machine or below 's3://bucket/prefix'."
        )
    parts = [part for part in prefix.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise InvalidInputError(
            f"uri={as_given(without_password(uri))}: a prefix has no '.' and no '..' in it."
        )
    refuse_odd_signs(prefix, without_password(uri))
    if "#" in prefix or "?" in prefix or prefix != prefix.rstrip(" "):
        raise InvalidInputError(
            f"uri={as_given(without_password(uri))}: a prefix has no '#', no '?' and no blank at its "
            f"end; in a URL they mean something else."
        )
    return BucketPlace(bucket, "/".join(parts), _access(environment))

"""What is taken for a secret, what is not, and in which forms it is found again."""

import base64
import json
from urllib.parse import quote

import pytest

from nbflow.wire.secrecy import WITHHELD, Veil, conceal, conceal_source, has_secret_name, secret_places

SECRET = "correct/horse+battery staple"

SECRET_NAMES = [
    "password",
    "db_password",
    "passwd",
    "PGPASSWORD",
    "passphrase",
    "secret",
    "client_secret",
    "AWS_SECRET_ACCESS_KEY",
    "credentials",
    "api_key",
    "apiKey",
    "API_KEY",
    "apikey",
    "private_key",
    "accessKey",
    "token",
    "accessToken",
    "GITHUB_TOKEN",
    "auth",
    "basic_auth",
    "Authorization",
    "authorization",
    "cookie",
    "db_pwd",
    "jwt",
    "X-Auth-Token",
]
OPEN_NAMES = [
    "x",
    "n",
    "key",
    "keys",
    "sort_key",
    "tokens",
    "token_ids",
    "n_tokens",
    "max_tokens",
    "tokenizer",
    "author",
    "authors",
    "passenger",
    "passed",
    "compass",
    "keyword",
    "data",
    "path",
    "monkey",
    "bearing",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_says_secret(name: str) -> None:
    assert has_secret_name(name)


@pytest.mark.parametrize("name", OPEN_NAMES)
def test_a_name_that_says_nothing(name: str) -> None:
    assert not has_secret_name(name)


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9,
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "Bearer abcdef0123456789",
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "postgres://user:pa55word@host/db",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_shape_that_says_secret(secret: str) -> None:
    told = conceal(f"it was {secret} then")
    assert WITHHELD in told
    assert secret.split()[-1].partition("@")[0].rpartition(":")[2] not in told


@pytest.mark.parametrize(
    "text",
    ["/data/run_7/part-00012.csv", "https://example.org/a:b/c", "sha256 of 9f86d081884c7d65", "a - b_c", ""],
)
def test_plain_text_stays(text: str) -> None:
    assert conceal(text) == text


def test_a_url_keeps_all_but_its_password() -> None:
    assert conceal("postgres://bob:hunter22@db.org:5432/x") == f"postgres://{WITHHELD}@db.org:5432/x"


def test_source_keeps_all_but_the_literals_of_secret_names() -> None:
    source = 'API_KEY = "abcd"\nf(password=\'x y\', n="5")\nc = {"token": "zz"}\nname: str = "q"\n'
    told = conceal_source(source)
    assert "abcd" not in told
    assert "x y" not in told
    assert "zz" not in told
    assert 'n="5"' in told
    assert 'name: str = "q"' in told


def test_the_places_of_secret_parameters() -> None:
    def connect(host: str, password: str, *, token: str) -> None: ...

    assert secret_places(connect) == {1, 2}
    assert secret_places(print) == frozenset()


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(f"me:{SECRET}".encode()).decode(),
        base64.b64encode(f"user:{SECRET}!".encode()).decode(),
        SECRET.encode().hex(),
    ],
)
def test_a_known_secret_is_found_in_all_its_forms(form: str) -> None:
    veil = Veil.of({"config": {"db": [{"password": SECRET}]}})
    told = veil.over(f"before {form} after")
    assert WITHHELD in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    assert "battery" not in told
    assert veil.hides(b"\x80\x05\x95" + form.encode() + b"\x94.")


def test_secrets_are_found_in_attributes_headers_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def __init__(self) -> None:
            self._token = "attribute-secret"

    monkeypatch.setenv("SOME_SERVICE_TOKEN", "environment-secret")
    veil = Veil.of({"client": Client(), "headers": [("Authorization", "Bearer header-secret")]})
    assert veil.over("attribute-secret environment-secret header-secret Client") == " ".join(
        [WITHHELD] * 3 + ["Client"]
    )


def test_what_is_too_short_is_not_looked_for_in_text() -> None:
    assert Veil.of({"password": "abc"}).over("abc of abcd") == "abc of abcd"


def test_a_namespace_of_hostile_values_is_looked_at_without_their_code() -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(name)

        __repr__ = __reduce__ = None  # type: ignore[assignment]

    loop: list[object] = []
    loop.append(loop)
    veil = Veil.of({"a": Hostile(), "loop": loop, "much": list(range(10**6)), "token": "late-secret"})
    assert veil.over("late-secret") == WITHHELD

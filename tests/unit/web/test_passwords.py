import pytest

from web.passwords import PasswordRefusedError, hash_password, needs_rehash, verify_password


def test_a_password_is_known_again_and_no_other_is():
    stored = hash_password("zielona herbata", email="a@b.example")
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, "zielona herbata")
    assert not verify_password(stored, "zielona herbatA")
    assert not needs_rehash(stored)


def test_the_same_letters_typed_on_another_keyboard_are_the_same_password():
    stored = hash_password("z\u0307o\u0301łta łódka na wodzie", email="a@b.example")
    assert verify_password(stored, "\u017c\u00f3łta łódka na wodzie")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("x" * 11, "short"),
        ("ab cd" * 60, "long"),
        ("Qwerty123456", "common"),
        ("aaaaaaaaaaaa", "common"),
        ("Jan.Kowalski.Biuro", "personal"),
    ],
)
def test_a_bad_password_is_refused_with_a_reason(password, reason):
    with pytest.raises(PasswordRefusedError) as refused:
        hash_password(password, email="jan.kowalski.biuro@sklep.example")
    assert refused.value.reason == reason


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$broken"])
def test_without_a_usable_hash_no_password_is_right(stored):
    assert not verify_password(stored, "nobody has this password")


def test_a_password_of_a_megabyte_is_refused_without_hashing_it():
    assert not verify_password(None, "x" * 1_000_000)

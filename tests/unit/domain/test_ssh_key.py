import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.ssh_key import SshKey, parse_public_key
from fakes.clock import EPOCH

# Made, and their fingerprints shown, by OpenSSH's ssh-keygen.
KEYS = {
    "ssh-ed25519": (
        "SHA256:r75m8VVKF8smwKAXvnzcvUNwEkd+ccVo/sZ4/DuhCEw",
        "AAAAC3NzaC1lZDI1NTE5AAAAIB6HSU5PATOV+dkU6E6SY+WTP38GHY1Awr+69C+ZSI3r",
    ),
    "ssh-rsa": (
        "SHA256:EqPjorrng2Yzajv03UMF1Ir0Ia0QmVU8q+wkvbLfOis",
        (
            "AAAAB3NzaC1yc2EAAAADAQABAAABAQC62eIqhaeju8+KLNtnxJRrY7bsgK6yu2jOgy4w54+EUAFcv50Q"
            "HUDZYLXnVy/1C8f2XvlXz8QKfB/TZFbdw1nrq9bAyAMIGRdhcvq8NrszG8vScqWhNMtNyep6tNrGDQRb"
            "eOKTCkKoXi1woNhkDa+gGL1rUa8GycMwT3Jk1KliuOitpbSfmBuB79BzitnnqyBct0C7f2J/T9llJCII"
            "+KPG7mC9uc7BQkVYtx7PA5mv8TnZbNjqTGk5aQ0shJaVyjTPuv1fmgNBDgtbLNu69Ua7xpGR89HkD5vi"
            "DrCm3/ekCBrT8P/EiSo4pXdeSadIAeCb/2u3cl55rTRv/Myc7TPn"
        ),
    ),
    "ecdsa-sha2-nistp256": (
        "SHA256:jg5mr4tZAMoHHg5tOdDp9rTJZ/yFvYfRHdq3lePDSOg",
        (
            "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFIJMqbKMPudZofBSqJGoekckR3Q"
            "GzC7Qq9vu0yTUXtYQkddZgO9Mlbi+ZnaDKa6KlU3wztqS8IPhRK3rc3I35g="
        ),
    ),
    "ecdsa-sha2-nistp384": (
        "SHA256:GTRk8+z7Wkwd5ya5xD3os344z/Z+EErvSR9FmkNHGFk",
        (
            "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBOahUR5q7kxlZTqhToL0vDIW8z76"
            "gj82i42sDv0VzCuNQdGKf8k2gHxhZ6+LVnuykTHEypAHbYgLFjySIhSIpv8S8aZRmpAtZBD7ZFkdJs/a"
            "Qp+UDaGp3B/tVoqRWoxz8Q=="
        ),
    ),
    "ecdsa-sha2-nistp521": (
        "SHA256:RjYqjS/GitjL8AguCTrSVPlnMRWCAq5vZSIUvj+FNAY",
        (
            "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBABa8n6MAqyeoC5GEYArlewt3UV+"
            "+PSiS3k1AIpHEDmZLUReE8QC8fX4g+FIlOaAbUs9t2W4WDKI56NV7mKednbCNAC7+dgSP8CfGxUJO4w4"
            "G1fBRIn6Gtv7syinyXnIqEzsNdfoQ/oOOpMIEhq945WYi91pn4DZp9673BWJakWoIYZhmA=="
        ),
    ),
}
SMALL_RSA = (
    "AAAAB3NzaC1yc2EAAAADAQABAAAAgQDVDCYeHM8k/URJyiHunEvj7lxP9cWb0G8Hb5DcBgSK6VHUuTNp"
    "S6UG9Bv9wKwqV1Rj6VBjl2eWOe1/rqZL/qrYOs1OAt/Oea9UpFkjTrN4MlFAe09v9YJ1JgNJ6b3jSA+g"
    "PlzO+3TuHQiOvqltiZKZnmYgZf9b/lCiuADP3gQj1Q=="
)


def strings(*parts: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(p)) + p for p in parts)).decode()


SECURITY_KEYS = {
    "sk-ssh-ed25519@openssh.com": strings(b"sk-ssh-ed25519@openssh.com", b"k" * 32, b"ssh:"),
    "sk-ecdsa-sha2-nistp256@openssh.com": strings(
        b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\x04" + b"p" * 64, b"ssh:"
    ),
}


def parsed(text: str) -> SshKey:
    return parse_public_key(text, "alice", EPOCH)


@pytest.mark.parametrize("kind", KEYS)
def test_reads_what_ssh_keygen_writes(kind: str) -> None:
    fingerprint, key = KEYS[kind]
    found = parsed(f"{kind} {key} alice@laptop\n")
    assert found.fingerprint == fingerprint
    assert (found.type, found.key, found.comment) == (kind, key, "alice@laptop")
    assert found.line == f"{kind} {key} alice@laptop"
    assert found.bits == (2048 if kind == "ssh-rsa" else None)


@pytest.mark.parametrize("kind", SECURITY_KEYS)
def test_reads_security_keys(kind: str) -> None:
    assert parsed(f"{kind} {SECURITY_KEYS[kind]}").line == f"{kind} {SECURITY_KEYS[kind]}"


def test_a_comment_stays_one_line_of_printable_characters() -> None:
    key = KEYS["ssh-ed25519"][1]
    assert parsed(f"ssh-ed25519 {key} \x1b[31m my\tkey  ä\x00").comment == "[31m my key ä"
    assert len(parsed(f"ssh-ed25519 {key} {'x' * 5000}").comment) == 100


ED = KEYS["ssh-ed25519"][1]
BAD = {
    "private": ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "private key"),
    "empty": (" \n", "there are 0"),
    "two": (f"ssh-ed25519 {ED}\nssh-ed25519 {ED}", "there are 2"),
    "smuggled line": (f"ssh-ed25519 {ED} a\rssh-ed25519 {ED} b", "there are 2"),
    "options": (f'command="sh" ssh-ed25519 {ED}', "options before it"),
    "dsa": (f"ssh-dss {ED}", "not safe"),
    "certificate": (f"ssh-ed25519-cert-v01@openssh.com {ED}", "certificate"),
    "unknown": (f"ssh-nothing {ED}", "is not the type"),
    "no key": ("ssh-ed25519", "damaged"),
    "not base64": ("ssh-ed25519 %%%%", "damaged"),
    "cut": (f"ssh-ed25519 {ED[:40]}", "damaged"),
    "other type": (f"ssh-rsa {ED}", "does not hold"),
    "small rsa": (f"ssh-rsa {SMALL_RSA}", "1024 bits"),
    "even exponent": (
        f"ssh-rsa {strings(b'ssh-rsa', bytes([2]), bytes([255]) * 256)}",
        "damaged",
    ),
    "short ed25519": (f"ssh-ed25519 {strings(b'ssh-ed25519', b'k' * 31)}", "damaged"),
    "more behind it": (f"ssh-ed25519 {strings(b'ssh-ed25519', b'k' * 32, b'x')}", "damaged"),
    "other curve": (
        f"ecdsa-sha2-nistp256 {strings(b'ecdsa-sha2-nistp256', b'nistp384', bytes([4]) * 97)}",
        "damaged",
    ),
    "huge": (f"ssh-ed25519 {base64.b64encode(bytes([255]) * 8).decode()}", "damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_with_a_sentence(name: str) -> None:
    text, words = BAD[name]
    with pytest.raises(InvalidRequest, match=words):
        parsed(text)


@given(st.text(max_size=300))
def test_nothing_that_somebody_sends_is_more_than_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parsed(text)


@given(st.sampled_from(sorted(KEYS)), st.integers(0, 80), st.binary(min_size=1, max_size=4))
def test_what_is_taken_is_one_line_of_three_words_at_most(kind: str, at: int, junk: bytes) -> None:
    blob = base64.b64decode(KEYS[kind][1])
    changed = base64.b64encode(blob[:at] + junk + blob[at + len(junk) :]).decode()
    try:
        found = parsed(f"{kind} {changed}")
    except InvalidRequest:
        return
    assert found.line.split(" ")[0] == kind
    assert found.line.isprintable()

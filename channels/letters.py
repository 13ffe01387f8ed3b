"""What the letters say: pure texts, Japanese and English in one mail.

Called by `gateway.postman` when a letter leaves. Short and plain: no links but the public address, no pictures, no
tracking, and no code in the subject, which relays write into their logs and phones show on locked screens. Words
that come from other people (a device's label) are bared of all that could look like a link.

| kind | facts |
|---|---|
| `code` | `code`: 6 digits, or `seed`, from which `with_code` makes it; `minutes` it lives |
| `known` | none; somebody signs up with an address that has an account |
| `new_device` | `label`: what the device calls itself; `at`: Unix milliseconds |
| `taken` | none; somebody wants to use an address that has an account for theirs |
| `address_changed` | `hours` within which it can be undone; goes to the address that was in use |
| `address_restored` | none; goes to the address that was in use for a while |
| `recovery_made` | `at`: Unix milliseconds |
| `test` | none |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from channels import codes

CODE = "code"
KNOWN = "known"
NEW_DEVICE = "new_device"
ADDRESS_CHANGED = "address_changed"
ADDRESS_RESTORED = "address_restored"
RECOVERY_MADE = "recovery_made"
TAKEN = "taken"
TEST = "test"

Facts = Mapping[str, str | int]

MINUTE_MS = 60_000
KEEP_MS = {CODE: 30 * MINUTE_MS, KNOWN: 30 * MINUTE_MS, TAKEN: 30 * MINUTE_MS, TEST: 30 * MINUTE_MS}
KEEP_NOTICE_MS = 24 * 60 * MINUTE_MS
LABEL_CHARS_MAX = 40
_JST = timezone(timedelta(hours=9))
_CODE = re.compile(r"[0-9]{6}\Z")
_LINKISH = re.compile(r"[^\w \-()（）・]")
_RULE = "―" * 12


@dataclass(frozen=True, slots=True)
class LetterText:
    """A subject of one line and a plain body."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class _Words:
    """One language's share of a letter."""

    subject: str
    body: str


def letter_text(kind: str, facts: Facts, language: str = "ja", public_url: str = "") -> LetterText:
    """The text of a letter, `language` first and the other one below. Raises `ValueError` if facts are missing."""
    try:
        both = dict(zip(("ja", "en"), _KINDS[kind](facts), strict=True))
    except KeyError as error:
        raise ValueError(f"a letter of the kind {kind!r} cannot be written without {error}") from None
    order = ("en", "ja") if language == "en" else ("ja", "en")
    subjects = " / ".join(both[each].subject for each in order)
    bodies = f"\n\n{_RULE}\n\n".join(both[each].body for each in order)
    signature = "Tsudoi 集い" + (f"\n{public_url}" if public_url else "")
    return LetterText(f"[Tsudoi] {subjects}", f"{bodies}\n\n-- \n{signature}\n")


def with_code(facts: Facts, secret: str) -> Facts:
    """The facts of a waiting letter with the code that its seed stands for: codes themselves are never stored."""
    seed = facts.get("seed")
    return facts if seed is None else {**facts, "code": codes.code_of(secret, str(seed))}


def keep_ms(kind: str) -> int:
    """How long a letter of a kind is worth sending: codes are dead soon, notices are good for a day."""
    return KEEP_MS.get(kind, KEEP_NOTICE_MS)


def _code(facts: Facts) -> tuple[_Words, _Words]:
    code = str(facts["code"])
    if not _CODE.match(code):
        raise ValueError("a code has 6 digits")
    minutes = int(facts["minutes"])
    return (
        _Words(
            "確認コード",
            "こんにちは。Tsudoi(集い)です。\n\n"
            f"確認コード:\n\n    {code}\n\n"
            f"{minutes}分以内に、開いている画面に入力してください。\n"
            "このコードは、だれにも教えないでください。こちらからおたずねすることもありません。\n\n"
            "心当たりがなければ、このメールは無視してください。コードがなければ、何も起こりません。",
        ),
        _Words(
            "Your code",
            "Hello from Tsudoi.\n\n"
            f"Your code:\n\n    {code}\n\n"
            f"Type it into the page that is open, within {minutes} minutes.\n"
            "Tell it to nobody; we never ask for it.\n\n"
            "If it wasn't you, ignore this mail. Without the code nothing happens.",
        ),
    )


def _known(facts: Facts) -> tuple[_Words, _Words]:
    return (
        _Words(
            "登録ずみのアドレスです",
            "こんにちは。Tsudoi(集い)です。\n\n"
            "このアドレスで新しい登録がありましたが、すでにアカウントがあります。\n"
            "新しく登録する代わりに、このアドレスでログインしてください。\n\n"
            "心当たりがなければ、このメールは無視してください。何も起こりません。",
        ),
        _Words(
            "You have an account already",
            "Hello from Tsudoi.\n\n"
            "Somebody signed up with this address, but it has an account already.\n"
            "Instead of signing up again, log in with this address.\n\n"
            "If it wasn't you, ignore this mail. Nothing happens.",
        ),
    )


def _taken(facts: Facts) -> tuple[_Words, _Words]:
    return (
        _Words(
            "登録ずみのアドレスです",
            "こんにちは。Tsudoi(集い)です。\n\n"
            "別のアカウントで、このアドレスへの変更がありましたが、このアドレスにはすでにアカウントがあります。"
            "1つのアドレスで使えるのは、1つのアカウントだけです。\n\n"
            "心当たりがなければ、このメールは無視してください。何も起こりません。",
        ),
        _Words(
            "This address has an account",
            "Hello from Tsudoi.\n\n"
            "Somebody wanted to use this address for another account, but it has one already. "
            "An address can be used for one account.\n\n"
            "If it wasn't you, ignore this mail. Nothing happens.",
        ),
    )


def _new_device(facts: Facts) -> tuple[_Words, _Words]:
    label = _bare(str(facts["label"]))
    here, there = _clocks(facts)
    return (
        _Words(
            "新しい端末でのログイン",
            "こんにちは。Tsudoi(集い)です。\n\n"
            "あなたのアカウントに、新しい端末からログインがありました。\n\n"
            f"    端末: {label or '名前なし'}\n    日時: {there}(日本時間)\n\n"
            "ご自身であれば、何もしなくてだいじょうぶです。\n"
            "心当たりがなければ、Tsudoiを開いて、設定の「端末」からその端末をログアウトしてください。",
        ),
        _Words(
            "New device",
            "Hello from Tsudoi.\n\n"
            "A new device has logged in to your account.\n\n"
            f"    Device: {label or 'without a name'}\n    Time: {here} UTC\n\n"
            "If it was you, there is nothing to do.\n"
            'If it wasn\'t, open Tsudoi and log that device out under "Devices" in the settings.',
        ),
    )


def _address_changed(facts: Facts) -> tuple[_Words, _Words]:
    hours = int(facts["hours"])
    return (
        _Words(
            "メールアドレスの変更",
            "こんにちは。Tsudoi(集い)です。\n\n"
            "あなたのアカウントのメールアドレスが、別のアドレスに変更されました。\n"
            "ご自身であれば、何もしなくてだいじょうぶです。\n\n"
            f"心当たりがなければ、{hours}時間以内に、このアドレスでTsudoiにログインしてください。"
            "そこで変更を取り消せます。取り消すと、すべての端末がログアウトされます。",
        ),
        _Words(
            "Your address was changed",
            "Hello from Tsudoi.\n\n"
            "The mail address of your account was changed to another one.\n"
            "If it was you, there is nothing to do.\n\n"
            f"If it wasn't, log in to Tsudoi with this address within {hours} hours. There you can undo the change; "
            "that logs all devices out.",
        ),
    )


def _address_restored(facts: Facts) -> tuple[_Words, _Words]:
    return (
        _Words(
            "メールアドレスの変更の取り消し",
            "こんにちは。Tsudoi(集い)です。\n\n"
            "このアドレスへの変更が、前のアドレスから取り消されました。"
            "このアドレスでは、もうログインできません。\n\n"
            "心当たりがなければ、このメールは無視してください。",
        ),
        _Words(
            "Your change of address was undone",
            "Hello from Tsudoi.\n\n"
            "The change to this address was undone by the address before it. "
            "You cannot log in with this one any more.\n\n"
            "If you don't know of it, ignore this mail.",
        ),
    )


def _recovery_made(facts: Facts) -> tuple[_Words, _Words]:
    here, there = _clocks(facts)
    return (
        _Words(
            "予備のコードをつくりました",
            "こんにちは。Tsudoi(集い)です。\n\n"
            "あなたのアカウントで、予備のコードがつくられました。メールを使えなくなったとき、このコードでログインできます。"
            "前のコードは、もう使えません。\n\n"
            f"    日時: {there}(日本時間)\n\n"
            "ご自身であれば、何もしなくてだいじょうぶです。\n"
            "心当たりがなければ、Tsudoiを開いて、設定の「端末」からほかの端末をすべてログアウトしてください。"
            "予備のコードも使えなくなります。",
        ),
        _Words(
            "Recovery codes were made",
            "Hello from Tsudoi.\n\n"
            "Recovery codes were made for your account. They let you log in when you cannot use your mail. "
            "Earlier ones do not work any more.\n\n"
            f"    Time: {here} UTC\n\n"
            "If it was you, there is nothing to do.\n"
            'If it wasn\'t, open Tsudoi and log all other devices out under "Devices" in the settings. '
            "That ends the recovery codes, too.",
        ),
    )


def _test(facts: Facts) -> tuple[_Words, _Words]:
    return (
        _Words(
            "テストメール",
            "こんにちは。Tsudoi(集い)です。\n\n"
            "このメールが読めていれば、メールの設定はできています。ようこそ、集いへ。",
        ),
        _Words(
            "Test mail",
            "Hello from Tsudoi.\n\nIf you can read this, mail is set up. Welcome, and good gatherings.",
        ),
    )


def _clocks(facts: Facts) -> tuple[str, str]:
    """The time a letter tells of, by the clocks of UTC and of Japan."""
    at = datetime.fromtimestamp(int(facts["at"]) / 1000, UTC)
    return f"{at:%Y-%m-%d %H:%M}", f"{at.astimezone(_JST):%Y-%m-%d %H:%M}"


def _bare(label: str) -> str:
    """A device's name without anything that a mail program would turn into a link."""
    return " ".join(_LINKISH.sub("", label).split())[:LABEL_CHARS_MAX]


_KINDS: dict[str, Callable[[Facts], tuple[_Words, _Words]]] = {
    CODE: _code,
    KNOWN: _known,
    NEW_DEVICE: _new_device,
    TAKEN: _taken,
    ADDRESS_CHANGED: _address_changed,
    ADDRESS_RESTORED: _address_restored,
    RECOVERY_MADE: _recovery_made,
    TEST: _test,
}

"""The head of a message has the fields that the task writes, whatever the texts in it are."""

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pgqueue_tasks._email.addresses import is_address
from pgqueue_tasks._email.head import check_head
from pgqueue_tasks._email.message import compose
from pgqueue_tasks._email.models import CampaignPayload
from pydantic import ValidationError

FIELDS = ["From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
BODY = {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
Q_WORD = "=?utf-8?q?a=0D=0ABcc:_eve=40example.com?="
B_WORD = "=?utf-8?b?YQ0KQmNjOiBldmVAZXhhbXBsZS5jb20=?="
HOSTILE = st.lists(
    st.sampled_from([Q_WORD, B_WORD, "=?utf-8?q?a?=", " ", '"', "\\", "<e@x.y>", ",", "Bcc:"])
    | st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60),
    max_size=6,
).map("".join)


def composed(*, subject="s", name="", sender_name="", text="t", email="ada@example.com"):
    payload = {
        "from": "news@shop.example",
        "from_name": sender_name,
        "reply_to": "help@shop.example",
        "subject": "s",
        "text": "t",
        "recipients": [{"email": email, "name": name}],
    }
    written = {"subject": subject, "text": text, "html": text}
    campaign = CampaignPayload.model_validate(payload)
    recipient = campaign.recipients[0]
    return compose(campaign, recipient, written, sender="news@shop.example", message_id="1", at=0)


def names_in(message):
    """Every field that any reader could see: a line break of any kind ends a line."""
    lines = re.split(rb"\r\n|\r|\n", message.partition(b"\r\n\r\n")[0])
    return [line.partition(b":")[0].decode() for line in lines if line[:1] not in (b" ", b"\t")]


@settings(max_examples=300, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
@example(Q_WORD, Q_WORD, Q_WORD, Q_WORD)
@example(B_WORD, "é" + B_WORD, " ", "")
@example("é" * 500, "x" * 200, "y z" * 60, "")
def test_no_text_adds_a_field_and_readers_show_it_as_it_is(subject, name, sender_name, text):
    message = composed(subject=subject, name=name[:200], sender_name=sender_name[:200], text=text)
    assert names_in(message)[: len(FIELDS)] == FIELDS
    assert set(names_in(message)[len(FIELDS) :]) <= BODY
    assert max(map(len, message.split(b"\r\n"))) <= 998
    read = message_from_bytes(message, policy=policy.compat32)
    assert read["Bcc"] is None
    assert str(make_header(decode_header(unfolded(read["Subject"])))) == subject
    shown, address = parseaddr(unfolded(read["To"]))
    assert address == "ada@example.com"
    assert str(make_header(decode_header(shown))) == name[:200]


def unfolded(value):
    return value.replace("\r\n", "").replace("\n", "")


@pytest.mark.parametrize("between", [*map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u2029"])
def test_a_control_character_is_refused(between):
    text = f"a{between}Bcc: eve@example.com"
    with pytest.raises(ValueError, match="control character"):
        composed(subject=text)
    for field in ("name", "sender_name"):
        with pytest.raises(ValidationError):
            composed(**{field: text})


def test_ordinary_texts_are_readable_in_the_source():
    message = composed(subject="Order 7", name="Ada L.", sender_name="The Shop")
    assert b'To: "Ada L." <ada@example.com>\r\n' in message
    assert b"From: The Shop <news@shop.example>\r\n" in message
    assert b"Subject: Order 7\r\n" in message


@pytest.mark.parametrize(
    "head",
    [
        b"A: 1\r\nB: 2\r\nBcc: x",
        b"A: 1\r\nB: 2\nBcc: x",
        b"A: 1\r\nB: 2\rBcc: x",
        b"A: 1\r\nB: 2\n x",
        b"A: 1\r\nB: 2\r\n\t",
        b"A: 1\r\nB: 2\r\n ",
        b"A: 1\r\nB: \xc3\xa9",
        b"A: 1\r\nB: a\x00",
        b" A: 1\r\nB: 2",
        b"A: 1",
        b"B: 2\r\nA: 1",
        b"A: 1\r\nB: 2\r\nB: 2",
    ],
)
def test_a_head_with_anything_else_in_it_is_noticed_before_it_is_sent(head):
    check_head(b"A: 1\r\nB: 2\r\n folded\r\n\r\nC: body", ["A", "B"])
    with pytest.raises(ValueError, match="the head of the message would be"):
        check_head(head + b"\r\n\r\nbody", ["A", "B"])
    with pytest.raises(ValueError, match="the head of the message would be"):
        check_head(b"A: 1\r\nB: 2\r\n", ["A", "B"])


LABEL = "b" * 63
GOOD = ["a@b", "a.b+c@x-y.example", "!#$%&'*+/=?^_`{|}~-@x.y", f"a@{LABEL}.{LABEL}.{LABEL}"]
BAD = [
    *["", "a", "@", "a@", "@x.y", "a@b@c", "a b@x.y", "<a@x.y>", "a@x.y ", "a@x.y\n", "a\n@x.y"],
    *["a..b@x.y", ".a@x.y", "a.@x.y", "a@x..y", "a@.x", "a@x.", "a@-x.y", "a@x-.y", "a@x.-y"],
    *['"a b"@x.y', "a@[127.0.0.1]", "a(b)@x.y", "ä@x.y", "a@ä.y", "a,b@x.y", f"a@{LABEL}b.c"],
    *[f"{Q_WORD}@x.y\r\n", "a@x_y", "a" * 252 + "@x.y", "a\x00@x.y", "a@x.y>\r\nDATA"],
]


@pytest.mark.parametrize("address", [*GOOD, *BAD], ids=ascii)
def test_schema_sender_and_recipient_have_one_rule_for_addresses(address):
    right = address in GOOD
    assert is_address(address) is right
    payload = {"subject": "s", "text": "t", "recipients": [{"email": "a@b"}], "reply_to": address}
    schema = jsonschema_rs.validator_for(CampaignPayload.model_json_schema())
    assert schema.is_valid(payload) is right
    try:
        CampaignPayload.model_validate(payload)
    except ValidationError:
        assert not right
    else:
        assert right
    if right:
        assert b"To: " + address.encode() + b"\r\n" in composed(email=address)
    elif address:
        with pytest.raises(ValueError, match="is not an address"):
            composed(email=address)

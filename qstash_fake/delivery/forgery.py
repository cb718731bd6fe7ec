"""Requests as QStash signs them, or with one thing wrong: for tests of an application's own check. Calls nobody."""

from __future__ import annotations

import json
from typing import Any

from qstash_fake.broker.ids import Ids, token_id
from qstash_fake.broker.keys import SigningKeys
from qstash_fake.delivery.encodings import ACCEPTED
from qstash_fake.delivery.exchange import USER_AGENT, Request, plain_request
from qstash_fake.delivery.routes import is_url
from qstash_fake.delivery.signing import sign
from qstash_fake.errors import UsageError

EXPIRED_S = 3600  # how long ago an expired signature was made; it lives five minutes


def signed_request(
    ids: Ids,
    keys: SigningKeys,
    url: str,
    body: Any,
    *,
    region: str,
    expired: bool,
    wrong_key: bool,
    wrong_url: bool,
    tampered: bool,
) -> Request:
    """Return a POST to *url*, signed now; *body* is bytes, text, or something that is sent as JSON."""
    if not is_url(url):
        raise UsageError(
            f"signed_request({url!r}) needs the whole URL, which is signed too: give one such as "
            f"'https://shop.example/jobs'"
        )
    is_json = not isinstance(body, (bytes, str))
    text = json.dumps(body) if is_json else body
    content = text if isinstance(text, bytes) else text.encode()
    message_id = ids.forged.message()
    signature = sign(
        url + "/another" if wrong_url else url,
        content,
        ids.forged.signing_key() if wrong_key else keys.current,
        token_id(message_id, 0),
        age_s=EXPIRED_S if expired else 0,
    )
    headers = (
        ("User-Agent", USER_AGENT),
        ("Content-Type", "application/json" if is_json else "text/plain"),
        ("Upstash-Message-Id", message_id),
        ("Upstash-Retried", "0"),
        ("Upstash-Signature", signature),
        ("Upstash-Caller-Ip", "127.0.0.1"),
        ("Upstash-Region", region.upper()),
        ACCEPTED,
    )
    return plain_request("POST", url, headers, content + b" " if tampered else content)

"""Writes and reads a key, and follows a prefix, by the client that openapi-python-client made (package `api`)."""

import json
import sys

from api.api.chainfire_v_1_chain_fire_service import (
    chain_fire_service_get as get_key,
    chain_fire_service_put as put_key,
    chain_fire_service_watch as watch,
)
from api.client import Client
from api.models import ChainFireServicePutBody, ErrorEnvelope, WatchEvent

client = Client(base_url=sys.argv[1])

put_key.sync(key="python/ada", client=client, body=ChainFireServicePutBody(value="hello"))

found = get_key.sync(key="python/ada", client=client)
assert found.data.value == "hello", found

missing = get_key.sync(key="python/none", client=client)
assert isinstance(missing, ErrorEnvelope) and missing.error.code == "NOT_FOUND", missing

# The generated call would wait for the end of the stream; its request is all that is needed.
request = watch._get_kwargs(prefix="python/", start_revision="1")
headers = {"Accept": "application/x-ndjson"}
with client.get_httpx_client().stream(**request, headers=headers, timeout=None) as response:
    line = next(response.iter_lines())
    event = WatchEvent.from_dict(json.loads(line)["data"])
assert event.item.value == "hello", event
print("ok")

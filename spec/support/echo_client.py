"""One conversation of Python's websockets client, for realPeers.spec.ts.

Reads from standard input, as JSON: the url, the messages to send (text as {"text": ...}, bytes as {"base64": ...}), and
the code and reason to close with, or null to wait for the server's. Prints, as JSON, the echoes and the close that was read.
"""

import asyncio
import base64
import json
import sys

import websockets


def decode(message):
    return message["text"] if "text" in message else base64.b64decode(message["base64"])


def encode(message):
    if isinstance(message, str):
        return {"text": message}
    return {"base64": base64.b64encode(message).decode()}


async def converse(url, messages, close):
    async with websockets.connect(url, max_size=None) as websocket:
        echoes = []
        for message in messages:
            await websocket.send(decode(message))
            echoes.append(encode(await websocket.recv()))
        if close is None:
            await websocket.wait_closed()
        else:
            await websocket.close(close["code"], close["reason"])
    closing = {"code": websocket.close_code, "reason": websocket.close_reason}
    return {"echoes": echoes, "closing": closing}


print(json.dumps(asyncio.run(converse(**json.load(sys.stdin)))))

"""A server of Python's websockets package, for servers.ts, until its standard input ends.

Takes the size of the largest message and, for TLS, a file with a certificate and its key. Prints a line of JSON for its
port, and one for each connection that has ended: the path of its request, and the close that was read.
"""

import asyncio
import json
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

import websockets


def report(document):
    print(json.dumps(document), flush=True)


def path_of(websocket):
    # The request is the newer place of the path.
    request = getattr(websocket, "request", None)
    return websocket.path if request is None else request.path


async def greet(websocket, url):
    if url.path == "/close":
        query = parse_qs(url.query)
        await websocket.send("last words")
        await websocket.close(int(query["code"][0]), query["reason"][0])
    if url.path == "/ping":
        # Resolved by the pong that has the same payload.
        await (await websocket.ping("Are you there?"))
        await websocket.send("pong: Are you there?")


async def serve_connection(websocket):
    path = path_of(websocket)
    try:
        await greet(websocket, urlsplit(path))
        async for message in websocket:
            await websocket.send(message)
    except websockets.ConnectionClosed:
        # Another code than 1000 and 1001: that, too, is an end to report.
        pass
    await websocket.wait_closed()
    report({"path": path, "closing": {"code": websocket.close_code, "reason": websocket.close_reason}})


async def main(max_size, certificate=None):
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    # Room for as many clients at once as Node has; the default of asyncio is 100.
    settings = {"ssl": context, "max_size": int(max_size), "backlog": 511}
    async with websockets.serve(serve_connection, "127.0.0.1", 0, **settings) as server:
        report({"port": server.sockets[0].getsockname()[1]})
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))

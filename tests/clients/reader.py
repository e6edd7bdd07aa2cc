"""A Python client of Socket.IO: prints the data of every event it is given, as JSON lines.

Usage: reader.py URL TOKEN polling|websocket|both. After the newest fifty it emits one event, and asks for a replay of two.
"""

import json
import sys
import threading

import socketio

url, token, transport = sys.argv[1:]
client = socketio.Client(reconnection=False)
seen = 0
# Handlers run in threads of their own.
lock = threading.Lock()


def say(value):
    with lock:
        print(json.dumps(value), flush=True)


@client.on("event")
def on_event(event):
    global seen
    if event["type"].startswith("kymo."):
        return
    say(event["data"])
    with lock:
        seen += 1
        is_caught_up = seen == 50
    if is_caught_up:
        client.start_background_task(ask)


def ask():
    receipt = client.call("emit", {"type": "mine", "data": {"n": 61}}, timeout=30)
    say_receipt(receipt)
    client.emit("replay", {"count": 2})


def say_receipt(receipt):
    say({"accepted": receipt["accepted"]})


@client.on("connect_error")
def on_refused(error):
    say({"refused": error["data"]["code"]})


transports = {"both": ["polling", "websocket"]}.get(transport, [transport])
try:
    client.connect(url, auth={"token": token}, transports=transports)
except socketio.exceptions.ConnectionError:
    sys.exit(0)
client.wait()

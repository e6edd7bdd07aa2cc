"""The two ends of v5 on Redis, with its own library. Prints JSON lines.

Usage: v5.py emit FOLDER URL COUNT   emits with the module `broadcast` of the folder, numbered, and says the last event
       v5.py hear URL COUNT          hears the channel as v5's server does, then says what the stream has
"""

import json
import sys

import redis


def say(value):
    print(json.dumps(value), flush=True)


def emit(folder, url, count):
    sys.path.insert(0, folder)
    import broadcast

    broadcast._broadcaster = broadcast.Broadcaster(redis_url=url)
    broadcast.get_broadcaster().set_cycle(42, 1551)
    for number in range(int(count)):
        event = broadcast.emit("sense.project", {"n": number, "projection": "Schmerz: ‘identität’ 🎈"})
    say(event)


def hear(url, count):
    client = redis.from_url(url)
    pubsub = client.pubsub()
    pubsub.subscribe("v5:events")
    heard = []
    for message in pubsub.listen():
        if message["type"] == "subscribe":
            say({"listens": True})
        if message["type"] == "message":
            heard.append(json.loads(message["data"]))
        if len(heard) == int(count):
            break
    stored = [json.loads(fields[b"event"]) for _, fields in client.xrange("v5:stream", count=50)]
    say({"heard": heard, "stored": stored})


{"emit": emit, "hear": hear}[sys.argv[1]](*sys.argv[2:])

"""Subscribes or publishes once with paho-mqtt, as its only argument, a JSON object, says."""

import json
import sys

import paho.mqtt.client as mqtt

job = json.loads(sys.argv[1])
client = mqtt.Client(
    client_id=job["clientId"],
    clean_session=job["clean"],
    protocol=mqtt.MQTTv31 if job["level"] == 3 else mqtt.MQTTv311,
)
client.username_pw_set(job["username"], job["password"])
received = 0
failure = None


def say(*words):
    print(*words, flush=True)


def stop(reason=None):
    global failure
    failure = failure or reason
    client.disconnect()


def on_connect(_client, _userdata, flags, code):
    if code != 0:
        stop("refused with code %d" % code)
        return
    say("connected", flags["session present"])
    if job["publish"]:
        for payload in job["payloads"]:
            client.publish(job["topic"], payload, qos=job["qos"])
    elif job["subscribe"]:
        client.subscribe(job["topic"], qos=job["qos"])


def on_publish(_client, _userdata, _mid):
    global received
    received += 1
    if received == len(job["payloads"]):
        stop()


def on_subscribe(_client, _userdata, _mid, granted):
    say("subscribed", granted[0])
    if job["count"] == 0:
        stop()


def on_message(_client, _userdata, message):
    global received
    say("message", message.qos, message.topic, message.payload.decode())
    received += 1
    if received == job["count"]:
        stop()


def on_disconnect(_client, _userdata, code):
    global failure
    if code != 0:
        failure = failure or "lost the connection (%d)" % code
        client.loop_stop()
        sys.exit(failure)


client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.on_disconnect = on_disconnect
if job["publish"]:
    client.on_publish = on_publish
client.connect(job["host"], job["port"], keepalive=60)
client.loop_forever(retry_first_connection=False)
if failure:
    sys.exit(failure)

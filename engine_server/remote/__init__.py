"""The client side of `Srvr=`: the same Session, whose work is done by the application server.

transport.py    HTTP with several hosts, repeats and one token
interactive.py  one interactive transaction over a WebSocket
session.py      RemoteSession and its parts
engine.py       what stands where a local session has a storage engine
door.py         signing in, dumps, restores, making bases
"""

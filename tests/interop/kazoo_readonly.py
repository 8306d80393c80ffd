"""A kazoo client that takes a read-only server, and finds a full one when there is one again.

    kazoo_readonly.py HOSTS

It reads /a without a quorum and says "read-only"; then waits until it may write, and says "read-write".
"""
import logging
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, NotReadOnlyCallError, SessionExpiredError
from kazoo.protocol.states import KeeperState

DEADLINE_SECONDS = 40


def await_true(what, check):
    deadline = time.time() + DEADLINE_SECONDS
    while not check():
        if time.time() > deadline:
            sys.exit("not in time: " + what)
        time.sleep(0.05)


def written(zk):
    try:
        zk.set("/a", b"written")
        return True
    except (ConnectionLoss, NotReadOnlyCallError, SessionExpiredError):
        return False


def main(hosts):
    logging.basicConfig(level=logging.CRITICAL)
    zk = KazooClient(hosts=hosts, timeout=6, read_only=True)
    zk.start(timeout=DEADLINE_SECONDS)
    await_true("read-only", lambda: zk.client_state == KeeperState.CONNECTED_RO)
    if zk.get("/a")[0] != b"d" or written(zk):
        sys.exit("not as it should be without a quorum")
    print("read-only", flush=True)
    await_true("a write", lambda: written(zk))
    if zk.client_state != KeeperState.CONNECTED or zk.get("/a")[0] != b"written":
        sys.exit("not as it should be with a quorum")
    print("read-write", flush=True)
    zk.stop()
    zk.close()


main(sys.argv[1])

"""A kazoo client that logs in by SASL.

    kazoo_sasl.py HOSTS USER PASSWORD [OWNER]

With OWNER it reads what that user has left for itself; else it leaves something for USER. It says what came of that.
"""
import logging
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import AuthFailedError, NoAuthError
from kazoo.security import make_acl

DEADLINE_SECONDS = 40


def main(hosts, user, password, owner=None):
    logging.basicConfig(level=logging.CRITICAL)
    zk = KazooClient(hosts=hosts, timeout=6, sasl_options={"mechanism": "DIGEST-MD5", "username": user, "password": password})
    try:
        zk.start(timeout=DEADLINE_SECONDS)
        if owner is None:
            zk.create("/of-" + user, b"secret", acl=[make_acl("sasl", user, all=True)])
        print("reads", zk.get("/of-" + (owner or user))[0].decode())
    except NoAuthError:
        print("may not read")
    except AuthFailedError:
        print("refused")
    zk.stop()


main(*sys.argv[1:])

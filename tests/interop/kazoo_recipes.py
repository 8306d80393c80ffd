"""Runs kazoo, and the recipes that come with it, against a ZooKeeper server.

    kazoo_recipes.py HOSTS

One line per case: "ok NAME", or "not ok NAME" and the indented reason; then "done N" with the number of cases. The exit
code is 1 when a case failed. The cases share no znodes, and each has its own clients and deadline.

Two clients of a case may be on two servers, and a read is answered where the client is: one that must see the other's
write asks for a sync first.
"""
import faulthandler
import logging
import queue
import socket
import sys
import threading
import time
import traceback

from kazoo.client import KazooClient, KazooState, TransactionRequest
from kazoo.exceptions import (BadArgumentsError, BadVersionError, InvalidACLError, NoAuthError, NodeExistsError,
                              NoChildrenForEphemeralsError, NoNodeError, NotEmptyError, RolledBackError, RuntimeInconsistency)
from kazoo.protocol.states import EventType
from kazoo.recipe.watchers import ChildrenWatch, DataWatch
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

CASE_SECONDS = 45
STEP_SECONDS = 20
SESSION_SECONDS = 6

cases = []


def case(f):
    cases.append(f)
    return f


def equal(got, want, what):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what, got, want))


def raises(errors, f, *args, **kwargs):
    try:
        got = f(*args, **kwargs)
    except errors as err:
        if type(err) is not errors:
            raise AssertionError("got %r, want exactly %s" % (err, errors.__name__)) from err
        return
    raise AssertionError("got %r, want %s" % (got, errors.__name__))


class Clients:
    """Makes clients for one case and stops them after it."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.made = []

    def client(self, **kwargs):
        c = KazooClient(hosts=self.hosts, timeout=SESSION_SECONDS, **kwargs)
        c.start(timeout=STEP_SECONDS)
        self.made.append(c)
        return c

    def close(self):
        for c in self.made:
            c.stop()
            c.close()


def in_thread(f, *args):
    """Runs f beside the case; the returned function waits for it and gives its result or raises its error."""
    out = queue.Queue()

    def run():
        try:
            out.put((f(*args), None))
        except BaseException as err:  # handed to the case
            out.put((None, err))

    threading.Thread(target=run, daemon=True).start()

    def result():
        value, err = out.get(timeout=STEP_SECONDS)
        if err is not None:
            raise err
        return value

    return result


@case
def errors(new, root):
    zk = new.client()
    raises(NoNodeError, zk.get, root)
    raises(NoNodeError, zk.set, root, b"")
    raises(NoNodeError, zk.delete, root)
    raises(NoNodeError, zk.get_children, root)
    raises(NoNodeError, zk.get_acls, root)
    raises(NoNodeError, zk.create, root + "/a/b")
    equal(zk.exists(root), None, "exists of nothing")
    equal(zk.create(root, b"x"), root, "created path")
    raises(NodeExistsError, zk.create, root)
    raises(BadVersionError, zk.set, root, b"y", version=3)
    raises(BadVersionError, zk.delete, root, version=3)
    zk.create(root + "/child")
    raises(NotEmptyError, zk.delete, root)
    zk.create(root + "/ephemeral", ephemeral=True)
    raises(NoChildrenForEphemeralsError, zk.create, root + "/ephemeral/child")
    raises(InvalidACLError, zk.create, root + "/acl", acl=[make_acl("nosuchscheme", "x", all=True)])


@case
def versions_and_stat(new, root):
    zk = new.client()
    zk.create(root, b"one")
    data, first = zk.get(root)
    equal((data, first.version, first.data_length, first.numChildren), (b"one", 0, 3, 0), "after create")
    equal(first.czxid, first.mzxid, "czxid and mzxid after create")
    second = zk.set(root, b"second", version=0)
    equal((second.version, second.data_length, second.czxid), (1, 6, first.czxid), "after set")
    if not second.mzxid > first.mzxid:
        raise AssertionError("mzxid does not grow: %r then %r" % (first.mzxid, second.mzxid))
    if not abs(second.mtime / 1000.0 - time.time()) < 60:
        raise AssertionError("mtime %r is not now" % second.mtime)
    zk.create(root + "/a")
    zk.create(root + "/b", b"", ephemeral=True)
    equal(sorted(zk.get_children(root)), ["a", "b"], "children")
    children, stat = zk.get_children(root, include_data=True)
    equal((sorted(children), stat.numChildren, stat.cversion), (["a", "b"], 2, 2), "children with stat")
    equal(zk.exists(root + "/b").ephemeralOwner, zk.client_id[0], "owner of the ephemeral")
    equal(zk.exists(root + "/a").ephemeralOwner, 0, "owner of the persistent")
    path, stat = zk.create(root + "/c", b"abc", include_data=True)
    equal((path, stat.data_length, stat.version), (root + "/c", 3, 0), "create with stat")
    zk.delete(root, recursive=True)
    equal(zk.exists(root), None, "after a recursive delete")
    zk.create(root + "/deep/er", b"", makepath=True)
    zk.create(root + "/empty", b"")
    equal(zk.get(root + "/empty")[0], b"", "empty data")
    equal(zk.sync(root), root, "sync")


@case
def sequence_names(new, root):
    zk = new.client()
    zk.create(root)
    names = [zk.create(root + "/s-", sequence=True) for _ in range(3)]
    equal(names, [root + "/s-%010d" % i for i in range(3)], "names")
    zk.delete(names[2])
    # The number counts what happened to the children, so one is not given twice.
    equal(zk.create(root + "/other-", sequence=True, ephemeral=True), root + "/other-0000000003", "next name")
    results = [zk.create_async(root + "/many-", sequence=True) for _ in range(200)]
    got = [r.get(timeout=STEP_SECONDS) for r in results]
    equal(got, sorted(got), "order of pipelined creations")
    equal(len(set(got)), 200, "distinct names")


@case
def ephemerals_go_at_close(new, root):
    zk, other = new.client(), new.client()
    zk.create(root)
    gone = threading.Event()
    other.create(root + "/e", b"", ephemeral=True)
    zk.sync(root)
    equal(zk.exists(root + "/e", watch=lambda event: event.type == EventType.DELETED and gone.set()) is None, False,
          "the ephemeral is seen")
    other.stop()
    equal(gone.wait(STEP_SECONDS), True, "event after close")
    equal(zk.exists(root + "/e"), None, "ephemeral after close")


@case
def transactions(new, root):
    zk = new.client()
    zk.create(root, b"old")
    t = zk.transaction()
    t.create(root + "/a", b"1")
    t.set_data(root, b"new")
    t.check(root, 1)
    t.delete(root + "/a")
    t.create(root + "/s-", sequence=True)
    results = t.commit()
    equal(results[0], root + "/a", "create in a transaction")
    equal(results[1].version, 1, "set in a transaction")
    equal(results[2:4], [True, True], "check and delete in a transaction")
    # /a and its deletion are two of the changes that the number counts.
    equal(results[4], root + "/s-0000000001", "sequence in a transaction")
    equal(zk.get(root)[0], b"new", "data after")

    t = zk.transaction()
    t.set_data(root, b"newer")
    t.check(root, 99)
    t.create(root + "/never")
    equal([type(r) for r in t.commit()], [RolledBackError, BadVersionError, RuntimeInconsistency], "a transaction that fails")
    equal(zk.get(root)[0], b"new", "data after a transaction that fails")
    equal(zk.exists(root + "/never"), None, "creation of a transaction that fails")

    t = zk.transaction()
    t.create(root)
    equal([type(r) for r in t.commit()], [NodeExistsError], "a transaction that fails at once")
    equal(zk.transaction().commit(), [], "an empty transaction")
    equal(isinstance(zk.transaction(), TransactionRequest), True, "type")


@case
def acl_with_digest(new, root):
    owner, stranger = new.client(auth_data=[("digest", "alice:secret")]), new.client()
    owner.create(root, b"mine", acl=[make_digest_acl("alice", "secret", all=True)])
    stranger.sync(root)
    raises(NoAuthError, stranger.get, root)
    raises(NoAuthError, stranger.set, root, b"")
    raises(NoAuthError, stranger.get_children, root)
    raises(NoAuthError, stranger.create, root + "/x")
    raises(NoAuthError, stranger.set_acls, root, OPEN_ACL_UNSAFE)
    equal(owner.get(root)[0], b"mine", "owner reads")
    acls, stat = owner.get_acls(root)
    equal([(a.perms, a.id.scheme, a.id.id.split(":")[0]) for a in acls], [(31, "digest", "alice")], "acl")
    stranger.add_auth("digest", "alice:secret")
    equal(stranger.get(root)[0], b"mine", "the stranger with the right word")
    owner.set_acls(root, [make_acl("world", "anyone", read=True), make_digest_acl("alice", "secret", all=True)],
                   version=stat.aversion)
    raises(BadVersionError, owner.set_acls, root, OPEN_ACL_UNSAFE, version=stat.aversion)
    third = new.client()
    third.sync(root)
    equal(third.get(root)[0], b"mine", "reading is free now")
    raises(NoAuthError, third.set, root, b"")


@case
def watches_fire_once(new, root):
    zk, other = new.client(), new.client()
    zk.create(root, b"0")
    events = queue.Queue()
    equal(zk.exists(root + "/later", watch=events.put), None, "exists")
    zk.get(root, watch=events.put)
    zk.get_children(root, watch=events.put)
    other.set(root, b"1")
    first = events.get(timeout=STEP_SECONDS)
    equal((first.type, first.path), (EventType.CHANGED, root), "data event")
    other.create(root + "/later")
    got = {(e.type, e.path) for e in (events.get(timeout=STEP_SECONDS), events.get(timeout=STEP_SECONDS))}
    equal(got, {(EventType.CREATED, root + "/later"), (EventType.CHILD, root)}, "creation events")
    other.set(root, b"2")
    other.delete(root + "/later")
    # What this client then reads is newer than any event it still had to hear.
    zk.sync(root)
    equal(zk.get(root)[0], b"2", "data")
    equal(events.qsize(), 0, "events after the watches fired")


@case
def data_watch(new, root):
    zk, other = new.client(), new.client()
    seen = queue.Queue()
    DataWatch(zk, root, lambda data, stat: seen.put((data, stat and stat.version)))
    equal(seen.get(timeout=STEP_SECONDS), (None, None), "before there is anything")
    for change, want in ((lambda: other.create(root, b"a"), (b"a", 0)), (lambda: other.set(root, b"b"), (b"b", 1)),
                         (lambda: other.delete(root), (None, None)), (lambda: other.create(root, b"c"), (b"c", 0))):
        change()
        equal(seen.get(timeout=STEP_SECONDS), want, "seen")


@case
def children_watch(new, root):
    zk, other = new.client(), new.client()
    zk.create(root)
    seen = queue.Queue()
    ChildrenWatch(zk, root, lambda children: seen.put(sorted(children)))
    equal(seen.get(timeout=STEP_SECONDS), [], "at first")
    other.create(root + "/b")
    equal(seen.get(timeout=STEP_SECONDS), ["b"], "one")
    other.create(root + "/a", ephemeral=True)
    equal(seen.get(timeout=STEP_SECONDS), ["a", "b"], "two")
    other.stop()
    equal(seen.get(timeout=STEP_SECONDS), ["b"], "after the other's close")


@case
def lock(new, root):
    zk, other = new.client(), new.client()
    mine, theirs = zk.Lock(root, "mine"), other.Lock(root, "theirs")
    equal(mine.acquire(timeout=STEP_SECONDS), True, "a free lock")
    equal(theirs.acquire(blocking=False), False, "a taken lock")
    got = in_thread(theirs.acquire)
    deadline = time.monotonic() + STEP_SECONDS
    while mine.contenders() != ["mine", "theirs"]:
        if time.monotonic() > deadline:
            raise AssertionError("contenders: %r" % mine.contenders())
        time.sleep(0.02)
    equal(theirs.is_acquired, False, "the second holds it while the first does")
    mine.release()
    equal(got(), True, "the second after the first")
    # A holder that is gone leaves the lock to the next.
    again = in_thread(mine.acquire)
    other.stop()
    equal(again(), True, "the lock of one who left")
    mine.release()


@case
def lock_counts_correctly(new, root):
    shared = {"value": 0, "inside": 0, "most": 0}

    def work(zk, name):
        for _ in range(5):
            with zk.Lock(root, name):
                shared["inside"] += 1
                shared["most"] = max(shared["most"], shared["inside"])
                value = shared["value"]
                time.sleep(0.001)  # a chance for another one who should not be inside
                shared["value"] = value + 1
                shared["inside"] -= 1

    for result in [in_thread(work, new.client(), "w%d" % i) for i in range(4)]:
        result()
    equal((shared["value"], shared["most"]), (20, 1), "sum, and how many were inside at once")


@case
def semaphore(new, root):
    a, b, c = new.client(), new.client(), new.client()
    leases = [zk.Semaphore(root, max_leases=2) for zk in (a, b, c)]
    equal([leases[0].acquire(timeout=STEP_SECONDS), leases[1].acquire(timeout=STEP_SECONDS)], [True, True], "two leases")
    equal(leases[2].acquire(blocking=False), False, "a third")
    got = in_thread(leases[2].acquire)
    leases[0].release()
    equal(got(), True, "the third after one is free")


@case
def election(new, root):
    order = queue.Queue()
    go_on = {name: threading.Event() for name in "ab"}

    def lead(name):
        order.put(name)
        go_on[name].wait(STEP_SECONDS)

    zk = {name: new.client() for name in "ab"}
    elections = {name: zk[name].Election(root, name) for name in "ab"}
    ends = [in_thread(elections["a"].run, lead, "a")]
    equal(order.get(timeout=STEP_SECONDS), "a", "first leader")
    ends.append(in_thread(elections["b"].run, lead, "b"))
    deadline = time.monotonic() + STEP_SECONDS
    while elections["a"].contenders() != ["a", "b"]:
        if time.monotonic() > deadline:
            raise AssertionError("contenders: %r" % elections["a"].contenders())
        time.sleep(0.02)
    equal(order.qsize(), 0, "leaders beside the first")
    go_on["a"].set()
    equal(order.get(timeout=STEP_SECONDS), "b", "second leader")
    go_on["b"].set()
    for end in ends:
        end()


@case
def counter(new, root):
    def add(zk):
        count = zk.Counter(root)
        for _ in range(10):
            count += 2
            count -= 1

    for result in [in_thread(add, new.client()) for _ in range(3)]:
        result()
    zk = new.client()
    zk.sync(root)
    equal(zk.Counter(root).value, 30, "sum")


@case
def plain_queue(new, root):
    zk, other = new.client(), new.client()
    a, b = zk.Queue(root), other.Queue(root)
    equal(a.get(), None, "an empty queue")
    for i in range(3):
        a.put(b"item %d" % i)
    b.put(b"first", priority=1)
    zk.sync(root)
    equal(len(a), 4, "length")
    got = []
    for client, end in ((other, b), (zk, a), (other, b), (zk, a), (zk, a)):
        client.sync(root)
        got.append(end.get())
    equal(got, [b"first", b"item 0", b"item 1", b"item 2", None], "order")


@case
def locking_queue(new, root):
    a, b = new.client().LockingQueue(root), new.client().LockingQueue(root)
    a.put_all([b"1", b"2"])
    equal(a.get(timeout=STEP_SECONDS), b"1", "first of one")
    equal(b.get(timeout=STEP_SECONDS), b"2", "first of the other, the first being held")
    equal(a.consume(), True, "consume")
    equal(b.release(), True, "release")
    equal(a.get(timeout=STEP_SECONDS), b"2", "what was given back")
    equal(a.consume(), True, "consume")
    waiting = in_thread(b.get, STEP_SECONDS)
    a.put(b"3")
    equal(waiting(), b"3", "what was waited for")


@case
def barrier(new, root):
    zk, other = new.client(), new.client()
    a, b = zk.Barrier(root), other.Barrier(root)
    a.create()
    other.sync(root)
    equal(b.wait(0.2), False, "while it stands")
    passed = in_thread(b.wait, STEP_SECONDS)
    equal(a.remove(), True, "remove")
    equal(passed(), True, "after it fell")


@case
def double_barrier(new, root):
    zks = [new.client() for _ in range(3)]
    barriers = [zk.DoubleBarrier(root, 3) for zk in zks]
    lone = in_thread(barriers[0].enter)
    second = in_thread(barriers[1].enter)
    deadline = time.monotonic() + STEP_SECONDS
    while zks[2].exists(root) is None or len(zks[2].get_children(root)) < 2:
        if time.monotonic() > deadline:
            raise AssertionError("two do not come to the barrier")
        time.sleep(0.02)
    equal([b.participating for b in barriers], [False] * 3, "inside, while one is missing")
    barriers[2].enter()
    lone(), second()
    equal([b.participating for b in barriers], [True] * 3, "inside")
    for end in [in_thread(b.leave) for b in barriers]:
        end()
    zks[0].sync(root)
    equal(zks[0].get_children(root), [], "left behind")


@case
def party(new, root):
    zk = new.client()
    other = new.client()
    a, b = zk.Party(root, "a"), other.Party(root, "b")
    a.join(), b.join()
    zk.sync(root)
    equal(sorted(a), ["a", "b"], "members")
    other.stop()
    zk.sync(root)
    equal(sorted(a), ["a"], "members after one left")


@case
def reconnect_keeps_the_session(new, root):
    zk, other = new.client(), new.client()
    zk.create(root, b"0")
    zk.create(root + "/e", ephemeral=True)
    states = queue.Queue()
    zk.add_listener(states.put)
    fired = queue.Queue()
    zk.get(root, watch=fired.put)
    zk.exists(root + "/later", watch=fired.put)
    session = zk.client_id
    for round in range(3):
        zk._connection._socket.shutdown(socket.SHUT_RDWR)  # as a broken network would
        equal(states.get(timeout=STEP_SECONDS), KazooState.SUSPENDED, "state after the connection broke")
        equal(states.get(timeout=STEP_SECONDS), KazooState.CONNECTED, "state after it came back")
    equal(zk.client_id, session, "session")
    equal(zk.exists(root + "/e").ephemeralOwner, session[0], "owner of the ephemeral")
    # kazoo does not set its watches anew: it ends them with an event of no type. So one on the new connection.
    zk.get(root, watch=fired.put)
    other.set(root, b"1")
    event = fired.get(timeout=STEP_SECONDS)
    while event.type == EventType.NONE:
        event = fired.get(timeout=STEP_SECONDS)
    equal((event.type, event.path), (EventType.CHANGED, root), "event on the new connection")


@case
def data_watch_survives_a_reconnect(new, root):
    zk, other = new.client(), new.client()
    zk.create(root, b"0")
    seen = queue.Queue()
    DataWatch(zk, root, lambda data, stat: seen.put(data))
    equal(seen.get(timeout=STEP_SECONDS), b"0", "at first")
    states = queue.Queue()
    zk.add_listener(states.put)
    zk._connection._socket.shutdown(socket.SHUT_RDWR)
    equal(states.get(timeout=STEP_SECONDS), KazooState.SUSPENDED, "state after the connection broke")
    other.set(root, b"1")
    equal(seen.get(timeout=STEP_SECONDS), b"1", "what changed meanwhile")
    other.set(root, b"2")
    equal(seen.get(timeout=STEP_SECONDS), b"2", "what changed later")


@case
def big_and_odd_data(new, root):
    zk = new.client()
    big = bytes(range(256)) * 3900  # near a million bytes, as much as a request may have
    zk.create(root, big)
    equal(zk.get(root)[0] == big, True, "large data come back")
    odd = root + "/\u00fcber \u4e2d"
    zk.create(odd, b"x")
    equal(zk.get_children(root), [odd.rsplit("/", 1)[1]], "a name outside ASCII")
    equal(zk.get(odd)[0], b"x", "data under it")
    # Java sees such a character as two surrogates, which no path may have; in the data all is well.
    raises(BadArgumentsError, zk.create, root + "/\U0001f418")
    equal(zk.set(odd, "\U0001f418".encode()).data_length, 4, "length of data outside the first plane")
    for i in range(500):
        zk.create_async(root + "/n%04d" % i)
    zk.sync(root)
    equal(len(zk.get_children(root)), 501, "many children")


def main(hosts):
    logging.basicConfig(level=logging.CRITICAL)
    failed = 0
    for f in cases:
        name = f.__name__
        faulthandler.dump_traceback_later(CASE_SECONDS, exit=True)
        new = Clients(hosts)
        try:
            f(new, "/kazoo_" + name)
            print("ok " + name)
        except Exception:
            failed += 1
            print("not ok " + name)
            for line in traceback.format_exc().splitlines():
                print("    " + line)
        finally:
            new.close()
            sys.stdout.flush()
    faulthandler.cancel_dump_traceback_later()
    print("done %d" % len(cases))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

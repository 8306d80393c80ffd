import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;

/** Locks. That they exclude is seen in this process's memory, and by what would be lost in the tree. */
final class Locks {
    private static final long WAIT_SECONDS = 40;

    private Locks() {}

    /** Holders count in a znode, without its version: two at once would lose a number. */
    static final class Mutex extends Recipe {
        private final AtomicInteger holders = new AtomicInteger();
        private final LongAdder held = new LongAdder();

        Mutex() {
            super("mutex");
        }

        @Override
        void prepare() throws Exception {
            create(clients.patient(0), path("count"), 0);
            for (int i = 0; i < Clients.COUNT; i++) {
                CuratorFramework c = clients.patient(i);
                InterProcessMutex lock = new InterProcessMutex(c, path("lock"));
                part(() -> {
                    Check.that(lock.acquire(WAIT_SECONDS, TimeUnit.SECONDS), "no lock in %d s", WAIT_SECONDS);
                    try {
                        Check.equal(holders.incrementAndGet(), 1, "holders");
                        write(c, path("count"), read(c, path("count")) + 1);
                        held.increment();
                    } finally {
                        holders.decrementAndGet();
                        lock.release();
                    }
                });
            }
        }

        @Override
        void finish() throws Exception {
            clients.patient(0).sync().forPath(path("count"));
            Check.equal(read(clients.patient(0), path("count")), held.sum(), "the count in the tree");
            Check.await("no contender is left behind", () -> clients.patient(0).getChildren().forPath(path("lock")).isEmpty());
        }
    }

    /** Writers change two znodes one after the other; readers must find them equal. */
    static final class ReadWrite extends Recipe {
        private final AtomicInteger writers = new AtomicInteger();
        private final AtomicInteger readers = new AtomicInteger();
        private final LongAdder written = new LongAdder();

        ReadWrite() {
            super("read-write-lock");
        }

        @Override
        void prepare() throws Exception {
            create(clients.patient(0), path("a"), 0);
            create(clients.patient(0), path("b"), 0);
            for (int i = 0; i < Clients.COUNT; i++) {
                CuratorFramework c = clients.patient(i);
                InterProcessReadWriteLock lock = new InterProcessReadWriteLock(c, path("lock"));
                InterProcessReadWriteLock other = new InterProcessReadWriteLock(c, path("lock"));
                part(() -> {
                    acquire(lock.writeLock());
                    try {
                        Check.equal(writers.incrementAndGet(), 1, "writers");
                        Check.equal(readers.get(), 0, "readers beside a writer");
                        long n = read(c, path("a")) + 1;
                        write(c, path("a"), n);
                        write(c, path("b"), n);
                        written.increment();
                    } finally {
                        writers.decrementAndGet();
                        lock.writeLock().release();
                    }
                });
                part(() -> {
                    acquire(other.readLock());
                    try {
                        readers.incrementAndGet();
                        Check.equal(writers.get(), 0, "writers beside a reader");
                        Check.equal(read(c, path("b")), read(c, path("a")), "what a writer left");
                    } finally {
                        readers.decrementAndGet();
                        other.readLock().release();
                    }
                });
            }
        }

        private static void acquire(InterProcessMutex lock) throws Exception {
            Check.that(lock.acquire(WAIT_SECONDS, TimeUnit.SECONDS), "no lock in %d s", WAIT_SECONDS);
        }

        @Override
        void finish() throws Exception {
            clients.patient(0).sync().forPath(path("a"));
            Check.equal(read(clients.patient(0), path("a")), written.sum(), "the writers' count");
        }
    }

    /** Two leases for four who want one. */
    static final class Semaphore extends Recipe {
        private static final int LEASES = 2;
        private static final int WANT = 4;
        private static final int HOLD_MS = 20;
        private final AtomicInteger holders = new AtomicInteger();
        private final AtomicInteger most = new AtomicInteger();

        Semaphore() {
            super("semaphore");
        }

        @Override
        void prepare() {
            for (int i = 0; i < WANT; i++) {
                CuratorFramework c = clients.patient(i);
                InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(c, path("leases"), LEASES);
                part(() -> {
                    Lease lease = semaphore.acquire(WAIT_SECONDS, TimeUnit.SECONDS);
                    Check.that(lease != null, "no lease in %d s", WAIT_SECONDS);
                    try {
                        int now = holders.incrementAndGet();
                        Check.that(now <= LEASES, "%d hold one of %d leases", now, LEASES);
                        most.accumulateAndGet(now, Math::max);
                        for (int ms = 0; ms < HOLD_MS && holders.get() < LEASES; ms++) {
                            Thread.sleep(1); // so that another can come to hold one meanwhile
                        }
                    } finally {
                        holders.decrementAndGet();
                        semaphore.returnLease(lease);
                    }
                });
            }
        }

        @Override
        void finish() throws Exception {
            Check.equal(most.get(), LEASES, "the most that held a lease at once");
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(clients.patient(0), path("leases"), LEASES);
            Check.await("all leases are back", () -> semaphore.getParticipantNodes().isEmpty());
        }
    }
}

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.transaction.CuratorOp;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/**
 * Numbers that change by their version. What was answered counts once; what was not, because the connection was lost,
 * once or not at all. The clients are the frank ones.
 */
final class Counters {
    private Counters() {}

    /** Keeps the books of a counter. */
    private abstract static class Counter extends Recipe {
        final Set<Long> values = ConcurrentHashMap.newKeySet(); // those that an increment was told
        final AtomicLong unknown = new AtomicLong();

        Counter(String name) {
            super(name);
        }

        final void counted(long value) {
            Check.that(values.add(value), "two increments led to %d", value);
        }

        final void checkTotal(long got) {
            Check.between(values.size(), got, values.size() + unknown.get(), "the count");
            for (long v : values) {
                Check.that(v <= got, "an increment led to %d, but the count is %d", v, got);
            }
        }

        @Override
        String figures() {
            return String.format("%d increments, %d without an answer", values.size(), unknown.get());
        }
    }

    static final class Atomic extends Counter {
        Atomic() {
            super("atomic-long");
        }

        @Override
        void prepare() {
            for (int i = 0; i < Clients.COUNT; i++) {
                DistributedAtomicLong number =
                        new DistributedAtomicLong(clients.frank(i), path("number"), new RetryNTimes(20, 5));
                part(() -> {
                    try {
                        AtomicValue<Long> done = number.increment();
                        if (done.succeeded()) { // otherwise the others were always quicker
                            Check.equal(done.postValue(), done.preValue() + 1, "what an increment led to");
                            counted(done.postValue());
                        }
                    } catch (KeeperException.ConnectionLossException e) {
                        unknown.incrementAndGet();
                    }
                });
            }
        }

        @Override
        void finish() throws Exception {
            CuratorFramework c = clients.patient(0);
            c.sync().forPath(path("number"));
            checkTotal(new DistributedAtomicLong(c, path("number"), new RetryNTimes(0, 0)).get().postValue());
        }
    }

    static final class Shared extends Counter {
        private final List<SharedCount> counts = new ArrayList<>();

        Shared() {
            super("shared-count");
        }

        @Override
        void prepare() throws Exception {
            for (int i = 0; i < Clients.COUNT; i++) {
                SharedCount count = open(new SharedCount(clients.frank(i), path("count"), 0));
                count.start();
                counts.add(count);
                part(() -> {
                    try {
                        VersionedValue<Integer> before = count.getVersionedValue();
                        if (count.trySetCount(before, before.getValue() + 1)) {
                            counted(before.getValue() + 1);
                        }
                    } catch (KeeperException.ConnectionLossException e) {
                        unknown.incrementAndGet();
                    }
                });
            }
        }

        @Override
        void finish() throws Exception {
            CuratorFramework c = clients.patient(0);
            Stat stat = new Stat();
            c.sync().forPath(path("count"));
            c.getData().storingStatIn(stat).forPath(path("count"));
            checkTotal(stat.getVersion()); // each increment is one version
            for (SharedCount count : counts) {
                Check.await("all see the last count", () -> count.getVersionedValue().getVersion() == stat.getVersion());
                Check.equal((long) count.getCount(), (long) stat.getVersion(), "a client's count");
            }
        }
    }

    /** Moves sums between two znodes and writes each into a third, in one transaction: all of it or nothing. */
    static final class Transactions extends Recipe {
        private static final long START = 1_000;
        private final Map<String, Long> moved = new ConcurrentHashMap<>(); // by the path of the note that was made
        private final AtomicLong unknown = new AtomicLong();
        private final LongAdder overtaken = new LongAdder();

        Transactions() {
            super("transactions");
        }

        @Override
        void prepare() throws Exception {
            CuratorFramework any = clients.patient(0);
            create(any, path("a"), START);
            create(any, path("b"), START);
            create(any, path("notes"), "");
            for (int i = 0; i < Clients.COUNT; i++) {
                CuratorFramework c = clients.frank(i);
                long sum = i + 1;
                part(() -> {
                    try {
                        move(c, sum);
                        refused(c);
                    } catch (KeeperException.ConnectionLossException e) {
                        // counted where it matters
                    }
                });
            }
        }

        private void move(CuratorFramework c, long sum) throws Exception {
            Stat a = new Stat();
            Stat b = new Stat();
            long inA = Long.parseLong(text(c.getData().storingStatIn(a).forPath(path("a"))));
            long inB = Long.parseLong(text(c.getData().storingStatIn(b).forPath(path("b"))));
            CuratorOp takeA = c.transactionOp().setData().withVersion(a.getVersion()).forPath(path("a"), bytes(inA - sum));
            CuratorOp giveB = c.transactionOp().setData().withVersion(b.getVersion()).forPath(path("b"), bytes(inB + sum));
            CuratorOp note = c.transactionOp().create().withMode(CreateMode.PERSISTENT_SEQUENTIAL)
                    .forPath(path("notes/n-"), bytes(sum));
            try {
                List<CuratorTransactionResult> done = c.transaction().forOperations(takeA, giveB, note);
                Check.equal(done.get(0).getResultStat().getVersion(), a.getVersion() + 1, "the version after a set");
                Check.that(moved.put(done.get(2).getResultPath(), sum) == null, "a note's path twice");
            } catch (KeeperException.BadVersionException e) {
                overtaken.increment();
            } catch (KeeperException.ConnectionLossException e) {
                unknown.incrementAndGet();
            }
        }

        /** The last of three fails, so nothing of the others may stay. */
        private void refused(CuratorFramework c) throws Exception {
            try {
                c.transaction().forOperations(
                        c.transactionOp().setData().forPath(path("a"), bytes(-1)),
                        c.transactionOp().create().forPath(path("never")),
                        c.transactionOp().check().withVersion(1).forPath(path("notes")));
                throw new AssertionError("a transaction with a failing check was carried out");
            } catch (KeeperException.BadVersionException e) {
                Check.equal(e.getResults().size(), 3, "results of a refused transaction");
            }
            Check.that(c.checkExists().forPath(path("never")) == null, "part of a refused transaction is there");
        }

        @Override
        String figures() {
            return String.format("%d moves, %d overtaken, %d without an answer", moved.size(), overtaken.sum(), unknown.get());
        }

        @Override
        void finish() throws Exception {
            CuratorFramework c = clients.patient(0);
            c.sync().forPath(path("a"));
            Set<String> notes = new HashSet<>(c.getChildren().forPath(path("notes")));
            Check.between(moved.size(), notes.size(), moved.size() + unknown.get(), "notes");
            long total = 0;
            for (String note : notes) {
                long sum = read(c, path("notes/" + note));
                Long told = moved.get(path("notes/" + note));
                Check.that(told == null || told == sum, "%s: got %d, want %s", note, sum, told);
                total += sum;
            }
            for (String note : moved.keySet()) {
                Check.that(notes.contains(note.substring(path("notes/").length())), "%s was made and is gone", note);
            }
            Check.equal(read(c, path("a")), START - total, "what is left");
            Check.equal(read(c, path("b")), START + total, "what was given");
        }
    }
}

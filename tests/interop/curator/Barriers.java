import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.zookeeper.KeeperException;

/** Barriers. Those who wait run in threads of their own, within one step. */
final class Barriers {
    private static final long WAIT_SECONDS = 30;

    private Barriers() {}

    private static ExecutorService threads() {
        return Executors.newCachedThreadPool(r -> {
            Thread t = new Thread(r);
            t.setDaemon(true);
            return t;
        });
    }

    /** One sets the barrier and takes it away; nobody gets past before. */
    static final class Single extends Recipe {
        private final ExecutorService threads = threads();

        Single() {
            super("barrier");
            open(threads::shutdownNow);
        }

        @Override
        void prepare() {
            part(() -> {
                DistributedBarrier barrier = new DistributedBarrier(clients.patient(0), path("barrier"));
                barrier.setBarrier();
                AtomicBoolean lifted = new AtomicBoolean();
                AtomicInteger waiting = new AtomicInteger();
                List<Future<Boolean>> waiters = new ArrayList<>();
                for (int i = 0; i < Clients.COUNT; i++) {
                    CuratorFramework c = clients.patient(i);
                    waiters.add(threads.submit(() -> {
                        Check.await("the barrier is seen", () -> c.checkExists().forPath(path("barrier")) != null);
                        waiting.incrementAndGet();
                        boolean passed = new DistributedBarrier(c, path("barrier")).waitOnBarrier(WAIT_SECONDS, TimeUnit.SECONDS);
                        Check.that(lifted.get(), "past a barrier that stands");
                        return passed;
                    }));
                }
                Check.await("all wait", () -> waiting.get() == Clients.COUNT || waiters.stream().anyMatch(Future::isDone));
                lifted.set(true);
                barrier.removeBarrier();
                for (Future<Boolean> w : waiters) {
                    Check.that(w.get(), "still before the barrier after %d s", WAIT_SECONDS);
                }
            });
        }

        @Override
        void finish() throws Exception {
            Check.await("the barrier is gone", () -> clients.patient(1).checkExists().forPath(path("barrier")) == null);
        }
    }

    /**
     * All enter before one goes on, and all leave before one is out; all but one, for a member that finds a single other
     * left takes it for the end. The recipe gives up when its client's connection is lost, and may then wait for ever;
     * such a turn is broken off, and another begins at a new znode.
     */
    static final class Doubled extends Recipe {
        private static final long PATIENCE_MS = 2_000; // once a connection is lost
        private final ExecutorService threads = threads();
        private int turn;
        private int brokenOff;

        Doubled() {
            super("double-barrier");
            open(threads::shutdownNow);
        }

        @Override
        void prepare() {
            part(() -> {
                while (!pass(path("turn-" + turn++))) {
                    brokenOff++;
                }
            });
        }

        /** One turn; false says that a connection was lost in it and not all came through. */
        private boolean pass(String at) throws Exception {
            int lost = clients.lost();
            AtomicInteger entering = new AtomicInteger();
            CountDownLatch inside = new CountDownLatch(Clients.COUNT);
            AtomicInteger leaving = new AtomicInteger();
            List<Future<?>> members = new ArrayList<>();
            for (int i = 0; i < Clients.COUNT; i++) {
                DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(clients.patient(i), at, Clients.COUNT);
                members.add(threads.submit(() -> {
                    entering.incrementAndGet();
                    barrier.enter();
                    Check.equal(entering.get(), Clients.COUNT, "those who came, when one was let in");
                    inside.countDown();
                    inside.await(); // whom the first to leave overtakes would wait for ever
                    leaving.incrementAndGet();
                    barrier.leave();
                    Check.between(Clients.COUNT - 1, leaving.get(), Clients.COUNT, "those who left, when one was let out");
                    return null;
                }));
            }
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
            boolean hurried = false;
            for (Future<?> m : members) {
                while (!m.isDone()) {
                    if (!hurried && clients.lost() != lost) {
                        hurried = true;
                        deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MS);
                    }
                    if (System.nanoTime() > deadline) {
                        break;
                    }
                    try {
                        m.get(10, TimeUnit.MILLISECONDS);
                    } catch (TimeoutException | ExecutionException e) {
                        // asked below
                    }
                }
            }
            for (Future<?> m : members) {
                try {
                    m.get(0, TimeUnit.MILLISECONDS);
                } catch (TimeoutException | ExecutionException e) {
                    members.forEach(other -> other.cancel(true));
                    if (e.getCause() instanceof AssertionError wrong) {
                        throw wrong;
                    }
                    // The one who lost it may hear of it before the listener that counts.
                    if (clients.lost() == lost && !(e.getCause() instanceof KeeperException.ConnectionLossException)) {
                        throw e;
                    }
                    return false;
                }
            }
            return true;
        }

        @Override
        String figures() {
            return String.format("%d turns, %d broken off", turn, brokenOff);
        }

        @Override
        void finish() {}
    }
}

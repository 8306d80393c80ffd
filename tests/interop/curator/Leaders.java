import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;

/** Elections among clients. */
final class Leaders {
    private Leaders() {}

    /** The leader resigns in each step and comes back as the last in the line: another must lead. */
    static final class Latch extends Recipe {
        private final List<LeaderLatch> latches = new ArrayList<>();
        private int made;

        Latch() {
            super("leader-latch");
        }

        @Override
        void prepare() throws Exception {
            for (int i = 0; i < Clients.COUNT; i++) {
                latches.add(candidate(i));
            }
            part(() -> {
                int leader = awaitLeader(-1);
                latches.get(leader).close();
                awaitLeader(leader);
                latches.set(leader, candidate(leader));
            });
        }

        private LeaderLatch candidate(int client) throws Exception {
            LeaderLatch latch = new LeaderLatch(clients.patient(client), path("latch"), "candidate-" + made++);
            latch.start();
            return latch;
        }

        /** Waits for a leader other than one, in whose eyes all others follow it. */
        private int awaitLeader(int not) throws Exception {
            AtomicInteger leader = new AtomicInteger(-1);
            Check.await("a leader", () -> {
                leader.set(-1);
                for (int i = 0; i < latches.size(); i++) {
                    if (i != not && latches.get(i).hasLeadership()) {
                        leader.set(i);
                        break;
                    }
                }
                return leader.get() >= 0;
            });
            LeaderLatch first = latches.get(leader.get());
            for (LeaderLatch other : latches) {
                // The first is asked again, since it may have lost its connection and so its leadership between.
                if (other != first && other.hasLeadership() && first.hasLeadership()) {
                    throw new AssertionError("two lead: " + first.getId() + " and " + other.getId());
                }
            }
            return leader.get();
        }

        @Override
        void finish() throws Exception {
            LeaderLatch leader = latches.get(awaitLeader(-1));
            for (LeaderLatch latch : latches) {
                Check.await("all know the leader", () -> latch.getLeader().getId().equals(leader.getId()));
                Check.await("all are candidates", () -> latch.getParticipants().size() == Clients.COUNT);
            }
            for (LeaderLatch latch : latches) {
                latch.close();
            }
        }
    }

    /** Whoever leads counts in a znode and gives way. A lost connection ends a leadership, as Curator advises. */
    static final class Selector extends Recipe {
        private final AtomicInteger leading = new AtomicInteger();
        private final AtomicLong counted = new AtomicLong();
        private final AtomicLong unknown = new AtomicLong();
        private final List<AtomicLong> turns = new ArrayList<>();

        Selector() {
            super("leader-selector");
        }

        @Override
        void prepare() throws Exception {
            create(clients.patient(0), path("count"), 0);
            for (int i = 0; i < Clients.COUNT; i++) {
                AtomicLong turn = new AtomicLong();
                turns.add(turn);
                LeaderSelector selector = open(new LeaderSelector(clients.patient(i), path("leader"),
                        new LeaderSelectorListenerAdapter() {
                            @Override
                            public void takeLeadership(CuratorFramework c) throws Exception {
                                lead(c);
                                turn.incrementAndGet();
                            }
                        }));
                selector.autoRequeue();
                selector.start();
            }
            part(() -> {
                for (AtomicLong turn : turns) {
                    long before = turn.get();
                    Check.await("each has its turn", () -> turn.get() > before || failed());
                }
            });
        }

        private void lead(CuratorFramework c) throws Exception {
            boolean done = false;
            try {
                if (leading.incrementAndGet() != 1) {
                    fail(new AssertionError("two lead"));
                }
                write(c, path("count"), read(c, path("count")) + 1);
                done = true;
            } finally {
                (done ? counted : unknown).incrementAndGet();
                leading.decrementAndGet();
            }
        }

        @Override
        String figures() {
            return String.format("%d turns, %d broken off", counted.get(), unknown.get());
        }

        @Override
        void finish() throws Exception {
            // They lead on until they are closed, so the bounds are taken on both sides.
            clients.patient(0).sync().forPath(path("count"));
            long low = counted.get();
            long got = read(clients.patient(0), path("count"));
            Check.between(low, got, counted.get() + unknown.get() + 1, "the count in the tree");
        }
    }
}

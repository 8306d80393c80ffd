import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.RetryPolicy;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.retry.RetryNTimes;

/**
 * The clients that all recipes share, each with a session of its own. The patient ones try again after a lost
 * connection, as applications do. The frank ones tell the recipe, which then knows that a write may or may not have
 * been done: tried again in silence, an increment could count twice.
 */
final class Clients implements AutoCloseable {
    static final int COUNT = 3;
    private static final int SESSION_MS = 15_000; // far longer than an election: none may expire
    private static final int CONNECTION_MS = 10_000;

    private final List<CuratorFramework> patient = new ArrayList<>();
    private final List<CuratorFramework> frank = new ArrayList<>();
    private final AtomicInteger suspended = new AtomicInteger();
    private final AtomicInteger expired = new AtomicInteger();

    Clients(String connectString) throws InterruptedException {
        for (int i = 0; i < COUNT; i++) {
            patient.add(connect(connectString, new ExponentialBackoffRetry(50, 8, 2_000)));
            frank.add(connect(connectString, new RetryNTimes(0, 0)));
        }
    }

    private CuratorFramework connect(String connectString, RetryPolicy policy) throws InterruptedException {
        CuratorFramework c = CuratorFrameworkFactory.newClient(connectString, SESSION_MS, CONNECTION_MS, policy);
        c.getConnectionStateListenable().addListener((client, state) -> {
            if (state == ConnectionState.SUSPENDED) {
                suspended.incrementAndGet();
            } else if (state == ConnectionState.LOST) {
                expired.incrementAndGet();
            }
        });
        c.start();
        Check.that(c.blockUntilConnected(CONNECTION_MS, TimeUnit.MILLISECONDS), "no connection to %s", connectString);
        return c;
    }

    CuratorFramework patient(int i) {
        return patient.get(i % COUNT);
    }

    CuratorFramework frank(int i) {
        return frank.get(i % COUNT);
    }

    /** How often any of the clients has lost its connection so far. */
    int lost() {
        return suspended.get();
    }

    String losses() {
        return String.format("%d by %d clients, %d sessions expired", suspended.get(), 2 * COUNT, expired.get());
    }

    @Override
    public void close() {
        patient.forEach(CuratorFramework::close);
        frank.forEach(CuratorFramework::close);
    }
}

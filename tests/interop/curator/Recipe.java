import java.io.Closeable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.KeeperException;

/**
 * A recipe under test: what its parts do over and over, each in a thread, until they are stopped, and what must be true
 * in the end. The first thing that goes wrong fails it and stops its parts.
 */
abstract class Recipe {
    /** One turn of a part's work. It checks what it can, waits for nothing without a limit, and throws what is wrong. */
    interface Step {
        void run() throws Exception;
    }

    private static final long STEP_MS = 60_000; // the longest that one may take
    private static final long PAUSE_MS = 10; // between two, so that on a small machine all get along

    private final String name;
    private final List<Part> parts = new ArrayList<>();
    private final Deque<Closeable> opened = new ArrayDeque<>();
    private final AtomicReference<Throwable> error = new AtomicReference<>();
    private volatile boolean stopping;
    protected Clients clients;

    Recipe(String name) {
        this.name = name;
    }

    /** Makes what the recipe needs and adds its parts. */
    abstract void prepare() throws Exception;

    /** Checks what must be true when the parts have stopped. */
    abstract void finish() throws Exception;

    /** What a reader may want to know of the work that was done. */
    String figures() {
        return String.format("%d steps", parts.stream().mapToLong(p -> p.steps).sum());
    }

    final String name() {
        return name;
    }

    /** The path of a znode that is this recipe's own. */
    final String path(String below) {
        return "/recipes/" + name + "/" + below;
    }

    final void part(Step step) {
        parts.add(new Part(step));
    }

    /** Has c closed after finish, the last one first. */
    final <C extends Closeable> C open(C c) {
        opened.addFirst(c);
        return c;
    }

    /** Fails the recipe from another thread than its parts'. */
    final void fail(Throwable why) {
        error.compareAndSet(null, why);
    }

    final boolean failed() {
        return error.get() != null;
    }

    final void start(Clients clients) {
        this.clients = clients;
        try {
            clients.patient(0).createContainers("/recipes/" + name);
            prepare();
            parts.forEach(Thread::start);
        } catch (Throwable e) {
            fail(e);
        }
    }

    /** Waits until each part has done a step that began after this call, or the recipe has failed. */
    final void awaitSteps() throws InterruptedException {
        List<Long> begun = parts.stream().map(p -> p.begun).toList();
        long deadline = System.nanoTime() + STEP_MS * 1_000_000;
        for (int i = 0; i < parts.size(); i++) {
            Part p = parts.get(i);
            while (!failed() && p.steps <= begun.get(i)) {
                if (System.nanoTime() > deadline) {
                    AssertionError stuck = new AssertionError("a part has done no step for " + STEP_MS + " ms");
                    stuck.setStackTrace(p.getStackTrace());
                    fail(stuck);
                }
                Thread.sleep(5);
            }
        }
    }

    final void stop() {
        stopping = true;
    }

    /** Waits for the parts, checks, closes, and returns what went wrong, or null. */
    final Throwable finishAndClose() throws InterruptedException {
        for (Part p : parts) {
            p.join(failed() ? 1 : STEP_MS);
            if (p.isAlive() && !failed()) {
                fail(new AssertionError("a part does not come to its end"));
            }
        }
        try {
            if (!failed()) {
                finish();
            }
            for (Closeable c : opened) {
                c.close();
            }
        } catch (Throwable e) {
            fail(e);
        }
        return error.get();
    }

    /** A number in a znode, at the session's own place in time. */
    static long read(CuratorFramework c, String path) throws Exception {
        return Long.parseLong(text(c.getData().forPath(path)));
    }

    /** Sets it whatever its version: done twice after a lost answer, it is the same. */
    static void write(CuratorFramework c, String path, long value) throws Exception {
        c.setData().forPath(path, bytes(value));
    }

    /** Creates it where it is not there yet. */
    static void create(CuratorFramework c, String path, Object value) throws Exception {
        try {
            c.create().creatingParentsIfNeeded().forPath(path, bytes(value));
        } catch (KeeperException.NodeExistsException e) {
            c.setData().forPath(path, bytes(value));
        }
    }

    static byte[] bytes(Object value) {
        return value.toString().getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }

    private final class Part extends Thread {
        private final Step step;
        volatile long begun; // steps
        volatile long steps; // done

        Part(Step step) {
            super(name + "-" + parts.size());
            this.step = step;
            setDaemon(true);
        }

        @Override
        public void run() {
            try {
                while (!stopping && !failed()) {
                    begun++;
                    step.run();
                    steps++;
                    Thread.sleep(PAUSE_MS);
                }
            } catch (Throwable e) {
                fail(e);
            }
        }
    }
}

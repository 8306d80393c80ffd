import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.concurrent.Callable;

/** What the recipes' checks are made of. */
final class Check {
    private static final long AWAIT_MS = 30_000;
    private static final long POLL_MS = 10;

    private Check() {}

    static void that(boolean ok, String format, Object... args) {
        if (!ok) {
            throw new AssertionError(String.format(format, args));
        }
    }

    static void equal(Object got, Object want, String what) {
        that(got.equals(want), "%s: got %s, want %s", what, got, want);
    }

    /** Fails unless low <= got <= high: where an answer was lost, a write may count or not. */
    static void between(long low, long got, long high, String what) {
        that(low <= got && got <= high, "%s: got %d, want %d to %d", what, got, low, high);
    }

    /** Asks again until the answer is true, and fails after 30 s. */
    static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + AWAIT_MS * 1_000_000;
        while (!condition.call()) {
            that(System.nanoTime() < deadline, "not after %d ms: %s", AWAIT_MS, what);
            Thread.sleep(POLL_MS);
        }
    }

    static String trace(Throwable error) {
        StringWriter text = new StringWriter();
        error.printStackTrace(new PrintWriter(text, true));
        return text.toString().strip();
    }
}

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Works with Curator's recipes on an ensemble whose leader is killed under them.
 *
 * <pre>Recipes CONNECT-STRING ROUNDS</pre>
 *
 * All recipes work at once, each below a znode of its own, from clients that they share. In each round the program asks
 * for the leader's end by the line "ask kill" on stdout, then for its return by "ask restart"; an answering line on
 * stdin says that it has come about. It goes on when every part of every recipe has done a step that began after that.
 *
 * In the end there is one line per recipe: "ok NAME", or "not ok NAME" and the indented reason; then "done N" with the
 * number of recipes. Lines that begin with "#" are remarks. The exit code is 1 when a recipe failed.
 */
public final class Recipes {
    public static void main(String[] args) throws Exception {
        int rounds = Integer.parseInt(args[1]);
        int failed = 0;
        try (Clients clients = new Clients(args[0])) {
            List<Recipe> recipes = List.of(
                    new Locks.Mutex(), new Locks.ReadWrite(), new Locks.Semaphore(),
                    new Leaders.Latch(), new Leaders.Selector(),
                    new Barriers.Single(), new Barriers.Doubled(),
                    new Counters.Atomic(), new Counters.Shared(), new Counters.Transactions(),
                    new Caches(),
                    new Members.Persistent(), new Members.Group(), new Members.Discovery(), new Members.Queue());
            for (Recipe r : recipes) {
                r.start(clients);
            }
            awaitSteps(recipes);
            BufferedReader answers = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (int round = 0; round < rounds; round++) {
                ask("kill", answers);
                awaitSteps(recipes);
                ask("restart", answers);
                awaitSteps(recipes);
            }
            for (Recipe r : recipes) {
                r.stop();
            }
            for (Recipe r : recipes) {
                Throwable error = r.finishAndClose();
                System.out.println((error == null ? "ok " : "not ok ") + r.name());
                if (error != null) {
                    failed++;
                    System.out.println("    " + Check.trace(error).replace("\n", "\n    "));
                }
                System.out.printf("# %s: %s%n", r.name(), r.figures());
            }
            System.out.println("# connections lost: " + clients.losses());
            System.out.println("done " + recipes.size());
        }
        System.out.flush();
        System.exit(failed == 0 ? 0 : 1); // a recipe that hangs may have left threads
    }

    /** Waits until each part of each recipe has done a step that began after this call. */
    private static void awaitSteps(List<Recipe> recipes) throws Exception {
        long since = System.nanoTime();
        for (Recipe r : recipes) {
            r.awaitSteps();
        }
        System.out.printf("# all have worked on after %d ms%n", (System.nanoTime() - since) / 1_000_000);
    }

    private static void ask(String what, BufferedReader answers) throws IOException {
        System.out.println("ask " + what);
        if (answers.readLine() == null) {
            throw new IOException("nobody answers");
        }
    }
}

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/**
 * Caches of a tree that changes at random, all held against the tree itself after each step: CuratorCache by a persistent
 * recursive watch, the older ones by a watch for each znode.
 */
@SuppressWarnings("deprecation") // the older caches are what many applications still use
final class Caches extends Recipe {
    private static final int CHANGES = 8;
    private static final int WIDTH = 3;

    /** What a cache holds, to each path its data, version and mzxid; and the paths of the tree that it should hold. */
    private record View(String name, Supplier<Map<String, String>> held, Predicate<String> wanted) {}

    private final List<View> views = new ArrayList<>();
    private final Random random = new Random(1);
    private final String top = path("top");
    private long changes;

    Caches() {
        super("caches");
    }

    @Override
    void prepare() throws Exception {
        create(clients.patient(0), top, "top");
        for (int i = 0; i < Clients.COUNT; i++) {
            CuratorFramework c = clients.patient(i);

            CuratorCache curator = open(CuratorCache.build(c, top));
            curator.start();
            views.add(new View("CuratorCache " + i, () -> {
                Map<String, String> m = new TreeMap<>();
                curator.stream().forEach(d -> put(m, d));
                return m;
            }, p -> true));

            TreeCache tree = open(new TreeCache(c, top));
            tree.start();
            views.add(new View("TreeCache " + i, () -> {
                Map<String, String> m = new TreeMap<>();
                collect(tree, top, m);
                return m;
            }, p -> true));

            PathChildrenCache children = open(new PathChildrenCache(c, top, true));
            children.start();
            views.add(new View("PathChildrenCache " + i, () -> {
                Map<String, String> m = new TreeMap<>();
                children.getCurrentData().forEach(d -> put(m, d));
                return m;
            }, p -> p.lastIndexOf('/') == top.length()));

            NodeCache node = open(new NodeCache(c, top + "/0"));
            node.start();
            views.add(new View("NodeCache " + i, () -> {
                Map<String, String> m = new TreeMap<>();
                put(m, node.getCurrentData());
                return m;
            }, p -> p.equals(top + "/0")));
        }
        part(() -> {
            for (int i = 0; i < CHANGES; i++) {
                change(clients.patient(random.nextInt(Clients.COUNT)));
                changes++;
            }
            compare();
        });
    }

    /** One change of a znode up to three levels down. */
    private void change(CuratorFramework c) throws Exception {
        StringBuilder p = new StringBuilder(top);
        for (int depth = 1 + random.nextInt(3); depth > 0; depth--) {
            p.append('/').append(random.nextInt(WIDTH));
        }
        try {
            switch (random.nextInt(4)) {
                case 0 -> c.delete().deletingChildrenIfNeeded().forPath(p.toString());
                case 1 -> c.setData().forPath(p.toString(), bytes("set " + changes));
                default -> create(c, p.toString(), "created " + changes);
            }
        } catch (KeeperException.NoNodeException e) {
            // nothing to change there
        }
    }

    private void compare() throws Exception {
        CuratorFramework c = clients.patient(0);
        c.sync().forPath(top); // others than this client have changed it too
        Map<String, String> tree = new TreeMap<>();
        walk(c, top, tree);
        for (View v : views) {
            Map<String, String> want = new TreeMap<>(tree);
            want.keySet().removeIf(v.wanted.negate());
            try {
                Check.await(v.name + " equals the tree", () -> v.held.get().equals(want));
            } catch (AssertionError e) {
                throw new AssertionError(e.getMessage() + "\nholds " + v.held.get() + "\ntree  " + want, e);
            }
        }
    }

    private static void walk(CuratorFramework c, String path, Map<String, String> m) throws Exception {
        Stat stat = new Stat();
        byte[] data = c.getData().storingStatIn(stat).forPath(path);
        put(m, new ChildData(path, stat, data));
        for (String child : c.getChildren().forPath(path)) {
            walk(c, path + "/" + child, m);
        }
    }

    private static void collect(TreeCache cache, String path, Map<String, String> m) {
        put(m, cache.getCurrentData(path));
        Map<String, ChildData> children = cache.getCurrentChildren(path);
        if (children != null) {
            children.keySet().forEach(child -> collect(cache, path + "/" + child, m));
        }
    }

    private static void put(Map<String, String> m, ChildData d) {
        if (d != null) {
            m.put(d.getPath(), String.format("%s v%d %#x", text(d.getData()), d.getStat().getVersion(), d.getStat().getMzxid()));
        }
    }

    @Override
    String figures() {
        return String.format("%d changes", changes);
    }

    @Override
    void finish() throws Exception {
        compare();
    }
}

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/** Ephemerals that others rely on, and a queue. */
final class Members {
    private Members() {}

    /** An ephemeral that comes back when somebody deletes it. */
    static final class Persistent extends Recipe {
        private final List<PersistentNode> nodes = new ArrayList<>();
        private int turn;

        Persistent() {
            super("persistent-node");
        }

        @Override
        void prepare() throws Exception {
            for (int i = 0; i < Clients.COUNT; i++) {
                PersistentNode node = new PersistentNode(clients.patient(i), CreateMode.EPHEMERAL, false, path("node-" + i),
                        bytes("first"));
                node.start();
                Check.that(node.waitForInitialCreate(30, TimeUnit.SECONDS), "node %d is not created", i);
                nodes.add(node);
            }
            part(() -> {
                int i = turn++ % Clients.COUNT;
                CuratorFramework other = clients.patient(i + 1);
                String data = "turn " + turn;
                nodes.get(i).setData(bytes(data));
                awaitData(other, i, data);
                try {
                    other.delete().forPath(path("node-" + i));
                } catch (KeeperException.NoNodeException e) {
                    // an answer was lost, and the deletion tried again
                }
                awaitData(other, i, data);
            });
        }

        /** Waits until a client sees the node with its data and owner. */
        private void awaitData(CuratorFramework c, int i, String data) throws Exception {
            long session = clients.patient(i).getZookeeperClient().getZooKeeper().getSessionId();
            Check.await("node-" + i + " holds " + data, () -> {
                Stat stat = new Stat();
                try {
                    String got = text(c.getData().storingStatIn(stat).forPath(path("node-" + i)));
                    Check.equal(stat.getEphemeralOwner(), session, "its owner");
                    return got.equals(data);
                } catch (KeeperException.NoNodeException e) {
                    return false;
                }
            });
        }

        @Override
        void finish() throws Exception {
            for (int i = 0; i < Clients.COUNT; i++) {
                nodes.get(i).close();
                String p = path("node-" + i);
                CuratorFramework other = clients.patient(i + 1);
                Check.await(p + " is gone", () -> other.checkExists().forPath(p) == null);
            }
        }
    }

    /** A group that one leaves and joins again; all must see it go and come. */
    static final class Group extends Recipe {
        private final List<GroupMember> members = new ArrayList<>();
        private int turn;

        Group() {
            super("group-member");
        }

        @Override
        void prepare() {
            for (int i = 0; i < Clients.COUNT; i++) {
                members.add(join(i));
            }
            part(() -> {
                awaitMembers(-1);
                int i = turn++ % Clients.COUNT;
                members.get(i).close();
                awaitMembers(i);
                members.set(i, join(i));
            });
        }

        private GroupMember join(int i) {
            GroupMember m = new GroupMember(clients.patient(i), path("group"), "member-" + i, bytes(i));
            m.start();
            return m;
        }

        private void awaitMembers(int without) throws Exception {
            Set<String> want = new HashSet<>();
            for (int i = 0; i < Clients.COUNT; i++) {
                if (i != without) {
                    want.add("member-" + i);
                }
            }
            for (int i = 0; i < Clients.COUNT; i++) {
                GroupMember m = members.get(i);
                if (i != without) {
                    Check.await("a member sees " + want, () -> m.getCurrentMembers().keySet().equals(want));
                }
            }
        }

        @Override
        void finish() throws Exception {
            awaitMembers(-1);
            members.forEach(GroupMember::close);
        }
    }

    /** Services that register and go; what a client's cache knows of them follows. */
    static final class Discovery extends Recipe {
        private static final String SERVICE = "web";
        private ServiceDiscovery<Void> discovery;
        private ServiceCache<Void> cache;
        private int port = 10_000;

        Discovery() {
            super("discovery");
        }

        @Override
        void prepare() throws Exception {
            discovery = open(on(0));
            discovery.start();
            ServiceDiscovery<Void> reader = open(on(1));
            reader.start();
            cache = open(reader.serviceCacheBuilder().name(SERVICE).build());
            cache.start();
            register();
            part(() -> {
                ServiceInstance<Void> instance = register();
                Check.await("the cache knows the instance", () -> cache.getInstances().contains(instance));
                // Not at once: after a lost connection its owner deletes it and registers it anew.
                Check.await("it is in the tree", () -> reader.queryForInstances(SERVICE).contains(instance));
                discovery.unregisterService(instance);
                Check.await("the cache forgets it", () -> !cache.getInstances().contains(instance));
            });
        }

        private ServiceDiscovery<Void> on(int client) {
            return ServiceDiscoveryBuilder.builder(Void.class).client(clients.patient(client)).basePath(path("services")).build();
        }

        private ServiceInstance<Void> register() throws Exception {
            ServiceInstance<Void> instance =
                    ServiceInstance.<Void>builder().name(SERVICE).address("127.0.0.1").port(port++).build();
            discovery.registerService(instance);
            return instance;
        }

        @Override
        void finish() throws Exception {
            Check.await("the first instance alone is left", () -> cache.getInstances().size() == 1);
            Check.equal(cache.getInstances().get(0).getPort(), 10_000, "its port");
        }
    }

    /** What is put into a queue is taken out, by one of two consumers, once or, where an answer was lost, again. */
    @SuppressWarnings("deprecation")
    static final class Queue extends Recipe {
        private final Set<String> taken = ConcurrentHashMap.newKeySet();
        private int sent;

        Queue() {
            super("queue");
        }

        @Override
        void prepare() throws Exception {
            QueueSerializer<String> serializer = new QueueSerializer<>() {
                @Override
                public byte[] serialize(String item) {
                    return bytes(item);
                }

                @Override
                public String deserialize(byte[] data) {
                    return text(data);
                }
            };
            DistributedQueue<String> producer = queue(0, null, serializer);
            queue(1, consumer(), serializer);
            queue(2, consumer(), serializer);
            part(() -> {
                String item = "item " + sent++;
                producer.put(item);
                Check.await(item + " is taken", () -> taken.contains(item));
            });
        }

        private DistributedQueue<String> queue(int client, QueueConsumer<String> to, QueueSerializer<String> serializer)
                throws Exception {
            DistributedQueue<String> q = open(QueueBuilder.builder(clients.patient(client), to, serializer, path("items"))
                    .lockPath(path("locks")).buildQueue());
            q.start();
            return q;
        }

        private QueueConsumer<String> consumer() {
            return new QueueConsumer<>() {
                @Override
                public void consumeMessage(String item) {
                    taken.add(item);
                }

                @Override
                public void stateChanged(CuratorFramework client, ConnectionState state) {}
            };
        }

        @Override
        void finish() throws Exception {
            Check.equal(taken.size(), sent, "different items taken");
            Check.await("the queue is empty", () -> clients.patient(0).getChildren().forPath(path("items")).isEmpty());
        }
    }
}

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooKeeper;

/**
 * Takes one Kafka broker, in ZooKeeper mode, through what it keeps in the ensemble: topics, their configuration, ACLs, the
 * controller's office; while messages are sent all the time and servers of the ensemble are killed under it.
 *
 * <pre>Journey BROKER ENSEMBLE-CONNECT-STRING</pre>
 *
 * It speaks as Recipes does (see curator/Recipes.java). It asks for "kill-leader", for "kill-connected" (the server that
 * the broker is connected to), for "restart" of the one killed and for "restart-broker".
 */
public final class Journey {
    private static final long TIMEOUT_SECONDS = 60;
    private static final String TOPIC = "orders";
    private static final int PARTITIONS = 3;
    private static final ConfigResource CONFIG = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
    private static final AclBinding RULE = new AclBinding(new ResourcePattern(ResourceType.TOPIC, TOPIC, PatternType.LITERAL),
            new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));

    private final BufferedReader answers = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    private final String broker;
    private final String ensemble;
    private final Admin admin;
    private final Map<String, Integer> topics = new HashMap<>(); // to their partitions
    private Traffic traffic;

    private interface Case {
        void run() throws Exception;
    }

    private Journey(String broker, String ensemble) {
        this.broker = broker;
        this.ensemble = ensemble;
        Properties p = new Properties();
        p.put(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
        p.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, (int) TimeUnit.SECONDS.toMillis(TIMEOUT_SECONDS));
        admin = Admin.create(p);
    }

    public static void main(String[] args) {
        Journey j = new Journey(args[0], args[1]);
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("topics", j::makeTopics);
        cases.put("leader-killed", () -> j.work("kill-leader"));
        cases.put("connected-server-killed", () -> j.work("kill-connected"));
        cases.put("configuration", j::changeConfiguration);
        cases.put("acl", j::changeRules);
        cases.put("controller", j::moveController);
        cases.put("offsets", j::readAll);
        cases.put("broker-restarted", j::restartBroker);
        int run = 0;
        int failed = 0;
        for (Map.Entry<String, Case> c : cases.entrySet()) {
            Throwable error = null;
            try {
                c.getValue().run();
            } catch (Throwable e) {
                error = e;
            }
            System.out.println((error == null ? "ok " : "not ok ") + c.getKey());
            run++;
            if (error != null) {
                System.out.println("    " + Check.trace(error).replace("\n", "\n    "));
                failed++;
                break; // each builds on those before
            }
        }
        System.out.println("done " + run);
        System.out.flush();
        System.exit(failed == 0 ? 0 : 1);
    }

    private void ask(String what) throws IOException {
        System.out.println("ask " + what);
        if (answers.readLine() == null) {
            throw new IOException("nobody answers");
        }
    }

    private static void note(String format, Object... args) {
        System.out.printf("# " + format + "%n", args);
    }

    private static <V> V get(KafkaFuture<V> f) throws Exception {
        return f.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    }

    /** Creates a topic, waits until its partitions have a leader, and says how long it took. */
    private void create(String topic, int partitions) throws Exception {
        long since = System.nanoTime();
        get(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all());
        awaitPartitions(topic, partitions);
        topics.put(topic, partitions);
        note("topic %s: %d ms", topic, (System.nanoTime() - since) / 1_000_000);
    }

    private void awaitPartitions(String topic, int want) throws Exception {
        Check.await(topic + " has " + want + " partitions with a leader", () -> {
            try {
                TopicDescription d = get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
                return d.partitions().size() == want && d.partitions().stream().allMatch(p -> p.leader() != null);
            } catch (ExecutionException e) {
                if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                    return false; // the broker has not heard of it yet, or again
                }
                throw e;
            }
        });
    }

    private Set<String> listed() throws Exception {
        return get(admin.listTopics().names());
    }

    private void makeTopics() throws Exception {
        create(TOPIC, PARTITIONS);
        Check.that(listed().contains(TOPIC), "%s is not listed", TOPIC);
        traffic = new Traffic(broker, TOPIC);
        traffic.start();
        traffic.awaitMore(500);
    }

    /** A server is killed while messages flow; with it away, and after its return, the broker does its work. */
    private void work(String kill) throws Exception {
        ask(kill);
        create("during-" + kill, 2);
        traffic.awaitMore(500);
        ask("restart");
        create("after-" + kill, 2);
        traffic.awaitMore(500);
        note("%s: %s", kill, traffic.figures());
    }

    private void changeConfiguration() throws Exception {
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry("retention.ms", "123456789"), AlterConfigOp.OpType.SET);
        get(admin.incrementalAlterConfigs(Map.of(CONFIG, List.of(set))).all());
        checkConfiguration();
        String more = "during-kill-leader";
        get(admin.createPartitions(Map.of(more, NewPartitions.increaseTo(4))).all());
        awaitPartitions(more, 4);
        topics.put(more, 4);
        String gone = "after-kill-leader";
        topics.remove(gone);
        get(admin.deleteTopics(List.of(gone)).all());
        Check.await(gone + " is gone", () -> !listed().contains(gone));
    }

    private void checkConfiguration() throws Exception {
        Check.await("retention.ms is changed", () -> get(admin.describeConfigs(List.of(CONFIG)).all()).get(CONFIG)
                .get("retention.ms").value().equals("123456789"));
    }

    private void changeRules() throws Exception {
        AclBinding other = new AclBinding(RULE.pattern(),
                new AccessControlEntry("User:bob", "*", AclOperation.WRITE, AclPermissionType.DENY));
        get(admin.createAcls(List.of(RULE, other)).all());
        Check.await("two rules", () -> get(admin.describeAcls(AclBindingFilter.ANY).values()).size() == 2);
        get(admin.deleteAcls(List.of(other.toFilter())).all());
        checkRules();
    }

    private void checkRules() throws Exception {
        Check.await("one rule", () -> List.of(RULE).equals(List.copyOf(get(admin.describeAcls(AclBindingFilter.ANY).values()))));
    }

    /** Somebody deletes the controller's ephemeral: the broker must take the office anew, under a higher epoch. */
    private void moveController() throws Exception {
        try (ZooKeeper zk = new ZooKeeper(ensemble, 10_000, event -> {})) {
            long epoch = epoch(zk);
            Check.await("the controller is deposed", () -> {
                try {
                    zk.delete("/controller", -1);
                    return true;
                } catch (KeeperException.ConnectionLossException e) {
                    return false;
                }
            });
            Check.await("a controller of a later epoch", () -> epoch(zk) > epoch && zk.exists("/controller", false) != null);
        }
        create("under-another-controller", 1);
    }

    private static long epoch(ZooKeeper zk) throws Exception {
        return Long.parseLong(new String(zk.getData("/controller_epoch", false, null), StandardCharsets.UTF_8));
    }

    private void readAll() throws Exception {
        traffic.stopSending();
        note("all: %s", traffic.figures());
        traffic.checkAll("first-readers");
    }

    private void restartBroker() throws Exception {
        ask("restart-broker");
        for (Map.Entry<String, Integer> t : topics.entrySet()) {
            awaitPartitions(t.getKey(), t.getValue());
        }
        Set<String> listed = new HashSet<>(listed());
        listed.remove("__consumer_offsets");
        Check.equal(listed, topics.keySet(), "the topics");
        checkConfiguration();
        checkRules();
        traffic.checkCommitted("first-readers");
        traffic.checkAll("second-readers");
        Traffic more = new Traffic(broker, "during-kill-leader");
        more.start();
        more.awaitMore(100);
        more.stopSending();
        more.checkAll("first-readers");
    }
}

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Messages that are sent to a topic without a pause, and the books of what the broker said of each. */
final class Traffic extends Thread {
    private static final long PAUSE_MS = 2;
    private static final Duration POLL = Duration.ofMillis(200);

    private final String broker;
    private final String topic;
    private final Map<String, String> told = new ConcurrentHashMap<>(); // value to "partition/offset"
    private final AtomicReference<Exception> error = new AtomicReference<>();
    private final AtomicLong slowestMs = new AtomicLong();
    private volatile boolean stopping;

    Traffic(String broker, String topic) {
        super("traffic-" + topic);
        this.broker = broker;
        this.topic = topic;
        setDaemon(true);
    }

    @Override
    public void run() {
        Properties p = new Properties();
        p.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
        p.put(ProducerConfig.ACKS_CONFIG, "all");
        p.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true); // the block of producer ids is in ZooKeeper
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            for (long i = 0; !stopping && error.get() == null; i++) {
                String value = Long.toString(i);
                long since = System.nanoTime();
                producer.send(new ProducerRecord<>(topic, "key-" + i % 20, value), (where, why) -> {
                    slowestMs.accumulateAndGet((System.nanoTime() - since) / 1_000_000, Math::max);
                    if (why != null) {
                        error.compareAndSet(null, why);
                    } else {
                        told.put(value, where.partition() + "/" + where.offset());
                    }
                });
                Thread.sleep(PAUSE_MS);
            }
        } catch (Exception e) {
            error.compareAndSet(null, e);
        }
    }

    /** Waits until n more messages have been sent and acknowledged. */
    void awaitMore(int n) throws Exception {
        int want = told.size() + n;
        Check.await(n + " more messages", () -> told.size() >= want || error.get() != null);
        check();
    }

    void stopSending() throws Exception {
        stopping = true;
        join();
        check();
    }

    private void check() throws Exception {
        if (error.get() != null) {
            throw error.get();
        }
    }

    /** The number sent so far, and the slowest acknowledgement since this was last asked. */
    String figures() {
        return String.format("%d messages, slowest acknowledgement %d ms", told.size(), slowestMs.getAndSet(0));
    }

    /** Reads the topic from its beginning as a new group: all that was acknowledged, where it was said to be, and no more. */
    void checkAll(String group) {
        Map<String, String> got = new HashMap<>();
        try (KafkaConsumer<String, String> consumer = consumer(group)) {
            consumer.subscribe(List.of(topic));
            long deadline = System.nanoTime() + 60_000_000_000L;
            Map<String, Long> last = new HashMap<>(); // by key
            while (got.size() < told.size()) {
                Check.that(System.nanoTime() < deadline, "%d of %d messages read in 60 s", got.size(), told.size());
                for (ConsumerRecord<String, String> r : consumer.poll(POLL)) {
                    Check.that(got.put(r.value(), r.partition() + "/" + r.offset()) == null, "message %s comes twice", r.value());
                    Long before = last.put(r.key(), Long.valueOf(r.value()));
                    Check.that(before == null || before < Long.parseLong(r.value()), "%s comes after %s", r.value(), before);
                }
            }
            consumer.commitSync();
        }
        Check.equal(got, told, "where the messages are");
        checkCommitted(group);
    }

    /** A group's offsets are the ends of the partitions. */
    void checkCommitted(String group) {
        try (KafkaConsumer<String, String> consumer = consumer(group)) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(Set.copyOf(partitions));
            long sum = 0;
            for (TopicPartition p : partitions) {
                OffsetAndMetadata c = committed.get(p);
                Check.equal(c == null ? -1L : c.offset(), ends.get(p), "the offset of " + p);
                sum += ends.get(p);
            }
            Check.equal(sum, (long) told.size(), "the sum of the ends");
        }
    }

    private KafkaConsumer<String, String> consumer(String group) {
        Properties p = new Properties();
        p.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
        p.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        p.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }
}

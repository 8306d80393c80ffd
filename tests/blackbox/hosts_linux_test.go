package blackbox

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"zooraft/protocol"
	"zooraft/tests/harness"
	"zooraft/tests/netns"
)

// lan is hosts on one network, with the test's own end of it in the hub.
type lan struct {
	hub   *netns.Namespace
	hosts []*netns.Namespace
}

// lanAddr is the address of host i, from 0, and in its nth life. The hub is host 253, in its first.
func lanAddr(i, life int) string { return fmt.Sprintf("10.97.%d.%d", life, i+1) }

func newLAN(t *testing.T, size int) *lan {
	t.Helper()
	l := &lan{hub: netns.New(t, "hub")}
	l.hub.IP(t, "link", "add", "lan", "type", "bridge")
	l.hub.IP(t, "link", "set", "lan", "up")
	l.hub.IP(t, "addr", "add", lanAddr(253, 0)+"/16", "dev", "lan")
	for i := range size {
		host := netns.New(t, fmt.Sprintf("host%d", i))
		host.Plug(t, l.hub, "lan", fmt.Sprintf("port%d", i), "eth0", lanAddr(i, 0)+"/16")
		l.hosts = append(l.hosts, host)
	}
	return l
}

// connect opens a session from the hub.
func (l *lan) connect(t *testing.T, addr string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	nc, err := l.hub.Dial(ctx, addr)
	must(t, "connect", err)
	t.Cleanup(func() { nc.Close() })
	c := &client{nc: nc, in: nc}
	must(t, "open a session", c.shake(nil))
	return c
}

// mustSync waits until the server has all that has been written before.
func (c *client) mustSync(t *testing.T) {
	t.Helper()
	_, err := c.call(protocol.OpSync, &protocol.SyncRequest{Path: "/"})
	must(t, "sync", err)
}

// Three machines that know each other by their hosts files, set up as the old instructions say: the same zoo.cfg on each,
// a myid, and zkServer.sh start.
func TestThreeMachines(t *testing.T) {
	harness.SkipShort(t)
	netns.Need(t, "MACHINES NOT TESTED")
	t.Parallel()
	l := newLAN(t, 3)
	hosts := "127.0.0.1 localhost\n"
	for i := range l.hosts {
		hosts += fmt.Sprintf("%s slave-0%d\n", lanAddr(i, 0), i+1)
	}
	installations := make([]*installation, 3)
	command := func(i int, verb string) (string, error) {
		in := installations[i]
		cmd := l.hosts[i].Command(fmt.Sprintf("slave-0%d", i+1), in.path("bin", "zkServer.sh"), verb)
		cmd.Env, cmd.Dir = in.env, "/"
		out, err := cmd.Output()
		return string(out), err
	}
	for i, host := range l.hosts {
		host.File(t, "hosts", hosts)
		in := newInstallation(t)
		installations[i] = in
		in.write(`tickTime=2000
initLimit=10
syncLimit=5
dataDir=`+in.path("data")+`
dataLogDir=`+in.path("log")+`
clientPort=2181
server.1=slave-01:2888:3888
server.2=slave-02:2888:3888
server.3=slave-03:2888:3888
`, "conf", "zoo.cfg")
		in.write(fmt.Sprintf("%d\n", i+1), "data", "myid")
		if out, err := command(i, "start"); err != nil || out != "Starting zookeeper ... STARTED\n" {
			t.Fatalf("start on slave-0%d: %q, %v", i+1, out, err)
		}
	}
	harness.Eventually(t, startTimeout, "one leader and two followers by zkServer.sh status", func() error {
		modes := make(map[string]int)
		for i := range l.hosts {
			out, err := command(i, "status")
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			modes[strings.TrimPrefix(out, "Client port found: 2181. Client address: localhost. Client SSL: false.\n")]++
		}
		if modes["Mode: leader\n"] != 1 || modes["Mode: follower\n"] != 2 {
			return fmt.Errorf("modes: %v", modes)
		}
		return nil
	})
	c := l.connect(t, lanAddr(0, 0)+":2181")
	must(t, "create", c.create("/a", "1"))
	c = l.connect(t, lanAddr(2, 0)+":2181")
	c.mustSync(t)
	c.mustHold(t, "/a", "1")
	for i, in := range installations {
		log, err := os.ReadFile(in.path("logs", fmt.Sprintf("zookeeper-operator-server-slave-0%d.out", i+1)))
		must(t, "read the output", err)
		checkOperatorsLog(t, i+1, string(log))
		if out, err := command(i, "stop"); err != nil || out != "Stopping zookeeper ... STOPPED\n" {
			t.Errorf("stop on slave-0%d: %q, %v", i+1, out, err)
		}
	}
}

// podProbe is a probe of deploy/kubernetes.
func (l *lan) podProbe(i int, word string) error {
	out, err := l.hosts[i].Command("", zooraftBin, "4lw", word, "127.0.0.1:2181").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// pod starts a server as a pod of deploy/kubernetes does: with that zoo.cfg, its number from its host name and
// names from the cluster's DNS.
func (l *lan) pod(t *testing.T, i int, config string) *process {
	t.Helper()
	cmd := l.hosts[i].Command(fmt.Sprintf("zk-%d", i), "env", "ZOO_MY_ID=hostname", zooraftBin, "server", config)
	return launchCommand(t, cmd, syscall.SIGKILL)
}

// newPods makes the hosts, the DNS server of a cluster and the configuration of each pod.
func newPods(t *testing.T) (*lan, *dnsServer, []string) {
	t.Helper()
	l := newLAN(t, 3)
	dns := newDNSServer(t, l.hub, lanAddr(253, 0))
	manifest, err := os.ReadFile("../../deploy/kubernetes/base/zoo.cfg")
	must(t, "read the manifest", err)
	const claim = "/var/lib/zookeeper"
	if !strings.Contains(string(manifest), "dataDir="+claim+"/") {
		t.Fatalf("dataDir is not below %s in\n%s", claim, manifest)
	}
	var configs []string
	for _, host := range l.hosts {
		host.File(t, "resolv.conf", "nameserver "+lanAddr(253, 0)+"\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n")
		in := installation{t: t, root: t.TempDir()}
		configs = append(configs, in.write(strings.ReplaceAll(string(manifest), claim, in.path("claim")), "conf", "zoo.cfg"))
	}
	return l, dns, configs
}

func podName(i int) string { return fmt.Sprintf("zk-%d.zk-hs.default.svc.cluster.local.", i) }

// Pods made all at once, before any name resolves. They answer, and serve once the names are there. Then each is made
// anew, as a rolling update does, with another address: the others find it.
func TestPodsInParallel(t *testing.T) {
	harness.SkipShort(t)
	netns.Need(t, "PODS NOT TESTED")
	t.Parallel()
	l, dns, configs := newPods(t)
	pods := make([]*process, 3)
	for i := range pods {
		pods[i] = l.pod(t, i, configs[i])
	}
	for i := range pods {
		harness.Eventually(t, startTimeout, "the liveness probe", func() error { return l.podProbe(i, "ruok") })
		if l.podProbe(i, "srvr") == nil {
			t.Errorf("zk-%d is ready before it can know the others", i)
		}
	}
	for i := range pods {
		dns.set(podName(i), lanAddr(i, 0))
	}
	for i := range pods {
		harness.Eventually(t, startTimeout, "the readiness probe", func() error { return l.podProbe(i, "srvr") })
	}
	c := l.connect(t, lanAddr(0, 0)+":2181")
	must(t, "create", c.create("/a", "0"))

	for i := 2; i >= 0; i-- {
		dns.set(podName(i), "")
		pods[i].signal(syscall.SIGTERM)
		if code := pods[i].exit(startTimeout); code != 0 {
			t.Errorf("exit code of zk-%d: %d", i, code)
		}
		l.hosts[i].IP(t, "addr", "flush", "dev", "eth0")
		l.hosts[i].IP(t, "addr", "add", lanAddr(i, 1)+"/16", "dev", "eth0")
		pods[i] = l.pod(t, i, configs[i])
		harness.Eventually(t, startTimeout, "the liveness probe", func() error { return l.podProbe(i, "ruok") })
		dns.set(podName(i), lanAddr(i, 1))
		harness.Eventually(t, startTimeout, "the readiness probe", func() error { return l.podProbe(i, "srvr") })
		c := l.connect(t, lanAddr(i, 1)+":2181")
		must(t, "write", c.set("/a", fmt.Sprint(3-i)))
	}
	for i := range pods {
		c := l.connect(t, lanAddr(i, 1)+":2181")
		c.mustSync(t)
		c.mustHold(t, "/a", "3")
	}
}

// Pods made one after the other, as the component ordered-ready has them: the next one only when the one before is ready,
// which with its probe it is without a majority.
func TestPodsInOrder(t *testing.T) {
	harness.SkipShort(t)
	netns.Need(t, "PODS NOT TESTED")
	t.Parallel()
	l, dns, configs := newPods(t)
	for i := range configs {
		l.pod(t, i, configs[i])
		dns.set(podName(i), lanAddr(i, 0))
		harness.Eventually(t, startTimeout, "the readiness probe", func() error { return l.podProbe(i, "ruok") })
		if i == 0 && l.podProbe(0, "srvr") == nil {
			t.Error("one of three serves")
		}
		for j := range i + 1 {
			if i > 0 {
				harness.Eventually(t, startTimeout, fmt.Sprintf("zk-%d of %d serves", j, i+1), func() error { return l.podProbe(j, "srvr") })
			}
		}
	}
	c := l.connect(t, lanAddr(0, 0)+":2181")
	must(t, "create", c.create("/a", "1"))
	c = l.connect(t, lanAddr(2, 0)+":2181")
	c.mustSync(t)
	c.mustHold(t, "/a", "1")
}

// Package kubernetes tests the manifests in deploy/kubernetes against the types of the API, as an API server would, and
// for what has to fit together. Servers that run as the pods would are tested in tests/blackbox.
package kubernetes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const root = "../../deploy/kubernetes/"

// rendered is what a kustomization makes.
type rendered struct {
	set      appsv1.StatefulSet
	headless corev1.Service
	client   corev1.Service
	budget   policyv1.PodDisruptionBudget
	config   corev1.ConfigMap
	monitor  *monitoringv1.ServiceMonitor
}

// render makes a kustomization and decodes all of it strictly: a field that the API does not know, or one that is given
// twice, fails the test.
func render(t *testing.T, dir string) *rendered {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), root+dir)
	if err != nil {
		t.Fatal(err)
	}
	r := new(rendered)
	for _, res := range resources.Resources() {
		var to any
		switch kind := res.GetGvk().String() + " " + res.GetName(); {
		case kind == "StatefulSet.v1.apps zk":
			to = &r.set
		case kind == "Service.v1.[noGrp] zk-hs":
			to = &r.headless
		case kind == "Service.v1.[noGrp] zk-cs":
			to = &r.client
		case kind == "PodDisruptionBudget.v1.policy zk-pdb":
			to = &r.budget
		case kind == "ServiceMonitor.v1.monitoring.coreos.com zk":
			r.monitor = new(monitoringv1.ServiceMonitor)
			to = r.monitor
		case strings.HasPrefix(kind, "ConfigMap.v1.[noGrp] zk-config-"):
			to = &r.config
		default:
			t.Fatalf("%s: an unexpected %s", dir, kind)
		}
		text, err := res.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, to); err != nil {
			t.Errorf("%s: %s: %v", dir, res.GetName(), err)
		}
	}
	return r
}

// zooCfg is the configuration as a map.
func (r *rendered) zooCfg() map[string]string {
	cfg := make(map[string]string)
	for line := range strings.Lines(r.config.Data["zoo.cfg"]) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			cfg[key] = value
		}
	}
	return cfg
}

func TestManifests(t *testing.T) {
	for _, tt := range []struct {
		dir       string
		policy    appsv1.PodManagementPolicyType
		readiness string // the word that the readiness probe asks
		monitored bool
	}{
		{"base", appsv1.ParallelPodManagement, "srvr", false},
		// A pod that had to serve to be ready would never get its second there.
		{"examples/ordered-monitored", appsv1.OrderedReadyPodManagement, "ruok", true},
	} {
		t.Run(tt.dir, func(t *testing.T) {
			r := render(t, tt.dir)
			spec := r.set.Spec
			if spec.PodManagementPolicy != tt.policy {
				t.Errorf("podManagementPolicy: got %s, want %s", spec.PodManagementPolicy, tt.policy)
			}
			c := spec.Template.Spec.Containers[0]
			for name, probe := range map[string]struct {
				is   *corev1.Probe
				word string
			}{"startup": {c.StartupProbe, "ruok"}, "liveness": {c.LivenessProbe, "ruok"}, "readiness": {c.ReadinessProbe, tt.readiness}} {
				want := []string{"zooraft", "4lw", probe.word, "127.0.0.1:" + r.zooCfg()["clientPort"]}
				if probe.is == nil || probe.is.Exec == nil || !slices.Equal(probe.is.Exec.Command, want) {
					t.Errorf("%s probe: got %v, want %q", name, probe.is, want)
				}
				if words := r.zooCfg()["4lw.commands.whitelist"]; !strings.Contains(words, probe.word) {
					t.Errorf("%s probe asks %s, which is not in the whitelist %q", name, probe.word, words)
				}
			}
			// A pod that answers may not be back in the ensemble: without a pause the next one would be taken meanwhile.
			if serves := tt.readiness == "srvr"; (spec.MinReadySeconds == 0) != serves {
				t.Errorf("minReadySeconds: got %d with a readiness of %s", spec.MinReadySeconds, tt.readiness)
			}
			checkSelectors(t, r)
			checkMembers(t, r)
			checkVolumes(t, r)
			checkRestricted(t, &spec.Template.Spec)
			if (r.monitor != nil) != tt.monitored {
				t.Errorf("ServiceMonitor: %v", r.monitor)
			}
			if tt.monitored {
				checkMonitored(t, r)
			}
		})
	}
}

// checkSelectors sees that whatever selects pods finds these.
func checkSelectors(t *testing.T, r *rendered) {
	t.Helper()
	pod := labels.Set(r.set.Spec.Template.Labels)
	selects := func(name string, s *metav1.LabelSelector) {
		t.Helper()
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil || selector.Empty() || !selector.Matches(pod) {
			t.Errorf("%s: the selector %v does not select %v; %v", name, selector, pod, err)
		}
	}
	selects("StatefulSet", r.set.Spec.Selector)
	selects("PodDisruptionBudget", r.budget.Spec.Selector)
	selects("headless service", metav1.SetAsLabelSelector(r.headless.Spec.Selector))
	selects("client service", metav1.SetAsLabelSelector(r.client.Spec.Selector))
	for _, term := range r.set.Spec.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		selects("anti-affinity", term.LabelSelector)
	}
	if n := r.budget.Spec.MaxUnavailable; n == nil || n.IntValue() != 1 {
		t.Errorf("maxUnavailable: got %v, want 1: a majority of three has to stay", n)
	}
	if r.headless.Spec.ClusterIP != corev1.ClusterIPNone || !r.headless.Spec.PublishNotReadyAddresses {
		t.Error("the headless service must publish the addresses of pods that are not ready: without each other none gets ready")
	}
	if r.set.Spec.ServiceName != r.headless.Name {
		t.Errorf("serviceName: got %q, want %q", r.set.Spec.ServiceName, r.headless.Name)
	}
}

// checkMembers sees that there is a server line for each pod, by the name that its pod has.
func checkMembers(t *testing.T, r *rendered) {
	t.Helper()
	cfg := r.zooCfg()
	ports := make(map[string]int32)
	for _, p := range r.headless.Spec.Ports {
		ports[p.Name] = p.Port
	}
	lines := 0
	for key := range cfg {
		if strings.HasPrefix(key, "server.") {
			lines++
		}
	}
	if lines != int(*r.set.Spec.Replicas) {
		t.Errorf("%d server lines for %d replicas", lines, *r.set.Spec.Replicas)
	}
	for i := range int(*r.set.Spec.Replicas) {
		want := fmt.Sprintf("%s-%d.%s:%d:%d", r.set.Name, i, r.headless.Name, ports["server"], ports["leader-election"])
		if got := cfg["server."+strconv.Itoa(i+1)]; got != want {
			t.Errorf("server.%d: got %q, want %q", i+1, got, want)
		}
	}
	if cfg["quorumListenOnAllIPs"] != "true" {
		t.Error("a pod must not need its own name to listen")
	}
	id := corev1.EnvVar{Name: "ZOO_MY_ID", Value: "hostname"}
	if env := r.set.Spec.Template.Spec.Containers[0].Env; !slices.Contains(env, id) {
		t.Errorf("environment: %v lacks %v", env, id)
	}
	if p := r.client.Spec.Ports; len(p) != 1 || strconv.Itoa(int(p[0].Port)) != cfg["clientPort"] {
		t.Errorf("client service: ports %v, clientPort %s", p, cfg["clientPort"])
	}
}

// checkVolumes sees that the configuration is where the server looks for it, and the data on the claim.
func checkVolumes(t *testing.T, r *rendered) {
	t.Helper()
	pod := r.set.Spec.Template.Spec
	mounts := make(map[string]string)
	for _, m := range pod.Containers[0].VolumeMounts {
		mounts[m.Name] = m.MountPath
	}
	if got, want := pod.Containers[0].Args[:2], []string{"server", mounts["config"] + "/zoo.cfg"}; !slices.Equal(got, want) {
		t.Errorf("args: got %q, want %q", got, want)
	}
	if source := pod.Volumes[0].ConfigMap; source == nil || source.Name != r.config.Name {
		t.Errorf("volume: got %v, want the ConfigMap %s", source, r.config.Name)
	}
	claim := r.set.Spec.VolumeClaimTemplates[0]
	if dir := mounts[claim.Name]; dir == "" || !strings.HasPrefix(r.zooCfg()["dataDir"], dir+"/") {
		t.Errorf("dataDir %s is not on the claim, at %q", r.zooCfg()["dataDir"], dir)
	}
}

// checkRestricted sees that the pod meets the standard "restricted" of Pod Security, and more.
func checkRestricted(t *testing.T, pod *corev1.PodSpec) {
	t.Helper()
	p, c := pod.SecurityContext, pod.Containers[0].SecurityContext
	for name, ok := range map[string]bool{
		"runAsNonRoot":             *p.RunAsNonRoot && *p.RunAsUser != 0,
		"fsGroup":                  *p.FSGroup == *p.RunAsGroup,
		"seccompProfile":           p.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"allowPrivilegeEscalation": !*c.AllowPrivilegeEscalation,
		"readOnlyRootFilesystem":   *c.ReadOnlyRootFilesystem,
		"capabilities":             slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(c.Capabilities.Add) == 0,
		"service account token":    !*pod.AutomountServiceAccountToken,
	} {
		if !ok {
			t.Errorf("security: %s is not as it should be", name)
		}
	}
}

// checkMonitored sees that the monitor reaches the metrics through the headless service, once for each pod.
func checkMonitored(t *testing.T, r *rendered) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(&r.monitor.Spec.Selector)
	if err != nil || !selector.Matches(labels.Set(r.headless.Labels)) {
		t.Errorf("the monitor's selector %v does not select the service's %v; %v", selector, r.headless.Labels, err)
	}
	// By which alerts.yaml asks for servers that do not answer.
	if job := r.headless.Labels[r.monitor.Spec.JobLabel]; job != "zooraft" {
		t.Errorf("jobLabel %q makes the job %q", r.monitor.Spec.JobLabel, job)
	}
	port := r.monitor.Spec.Endpoints[0].Port
	i := slices.IndexFunc(r.headless.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == port })
	if i < 0 {
		t.Fatalf("the headless service has no port %q", port)
	}
	number := r.headless.Spec.Ports[i].Port
	if slices.ContainsFunc(r.client.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == port }) {
		t.Errorf("both services have a port %q: each pod would be scraped twice", port)
	}
	c := r.set.Spec.Template.Spec.Containers[0]
	if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == number }) {
		t.Errorf("the container has no port %d", number)
	}
	if want := fmt.Sprintf("--define=metricsProvider.httpPort=%d", number); !slices.Contains(c.Args, want) {
		t.Errorf("args %q lack %s", c.Args, want)
	}
}

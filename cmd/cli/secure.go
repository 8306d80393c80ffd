package cli

import (
	"cmp"
	"errors"
	"fmt"

	"zooraft/server"
	"zooraft/zabcompat"
)

// Names of org.apache.zookeeper.client.ZKClientConfig and
// org.apache.zookeeper.common.ClientX509Util.
const (
	keySecure = "zookeeper.client.secure"
	keySSL    = "zookeeper.ssl."
)

// TLS returns what clients are to speak TLS with by the properties of the environment
// and of a -client-configuration file, which may be ""; nil if with plain text.
func TLS(environment []Property, path string) (*server.TLS, error) {
	props, err := gather(environment, path)
	if err != nil {
		return nil, err
	}
	return props.tls()
}

func (props properties) tls() (*server.TLS, error) {
	if secure, err := props.boolean(keySecure, false); err != nil || !secure {
		return nil, err
	}
	var faults []error
	boolean := func(key string, otherwise bool) bool {
		b, err := props.boolean(key, otherwise)
		if err != nil {
			faults = append(faults, err)
		}
		return b
	}
	value := func(key string) string { return props[keySSL+key].value }
	store := func(key string) server.TLSStore {
		return server.TLSStore{File: value(key + ".location"), Type: value(key + ".type"), Password: value(key + ".password"), PasswordFile: value(key + ".passwordPath")}
	}
	cfg := server.TLS{
		Key:          store("keyStore"),
		Trust:        store("trustStore"),
		Protocols:    zabcompat.SplitList(cmp.Or(value("enabledProtocols"), value("protocol"))),
		CipherSuites: zabcompat.SplitList(value("ciphersuites")),
		VerifyServer: boolean(keySSL+"hostnameVerification", true),
	}
	for _, key := range []string{"crl", "ocsp"} {
		if boolean(keySSL+key, false) {
			faults = append(faults, fmt.Errorf("%s: %s%s: this client does not ask whether a certificate has been revoked; set false, if that will do", props[keySSL+key].where, keySSL, key))
		}
	}
	if key := keySSL + "context.supplier.class"; props[key].value != "" {
		faults = append(faults, fmt.Errorf("%s: %s: classes of Java cannot be loaded; name the stores by %skeyStore.location and %strustStore.location", props[key].where, key, keySSL, keySSL))
	}
	for _, f := range cfg.Validate() {
		where := cmp.Or(props[keySSL+f.Key].where, props[keySecure].where)
		faults = append(faults, fmt.Errorf("%s: %s%s: %s", where, keySSL, f.Key, f.Problem))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &cfg, nil
}

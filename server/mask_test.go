package server

import "testing"

func TestMaskedText(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"none", "tickTime=2000\nserver.1=a:1:2\n", "tickTime=2000\nserver.1=a:1:2\n"},
		{"a digest", "a=1\nDigestAuthenticationProvider.superDigest=super:s3cret\nb=2", "a=1\nDigestAuthenticationProvider.superDigest=********\nb=2"},
		{"divided by a colon", "ssl.keyStore.password: s3cret", "ssl.keyStore.password=********"},
		{"divided by a blank", " ssl.keyStore.password s3cret", " ssl.keyStore.password=********"},
		{"over two lines", "ssl.keyStore.password=s3\\\n  cr=et\nb=2", "ssl.keyStore.password=********\nb=2"},
		{"over three lines", "superDigest=\\\r\nsuper:\\\r\ns3cret\r\nb=2", "superDigest=********\nb=2"},
		{"taken out", "#ssl.keyStore.password=s3cret\n", "#ssl.keyStore.password=********\n"},
		{"with the prefix", "zookeeper.DigestAuthenticationProvider.superDigest = super:s3cret", "zookeeper.DigestAuthenticationProvider.superDigest=********"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := maskedText(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

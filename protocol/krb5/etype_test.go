package krb5

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 3961, A.1.
func TestFold(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"012345", "be072631276b1955"},
		{"password", "78a07b6caf85fa"},
		{"Rough Consensus, and Running Code", "bb6ed30870b7f0e0"},
		{"password", "59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e"},
		{"MASSACHVSETTS INSTITVTE OF TECHNOLOGY", "db3b0d8f0b061e603282b308a50841229ad798fab9540c1b"},
		{"Q", "518a54a215a8452a518a54a215a8452a518a54a215"},
		{"ba", "fb25d531ae8974499f52fd92ea9857c4ba24cf297e"},
		{"kerberos", "6b65726265726f737b9b5b2b93132b93"},
		{"kerberos", "6b65726265726f737b9b5b2b93132b935c9bdcdad95c9899c4cae4dee6d6cae4"},
	} {
		if got := hex.EncodeToString(fold([]byte(tt.in), len(tt.want)/2)); got != tt.want {
			t.Errorf("%q folded: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

// RFC 3962, B.
func TestCTS(t *testing.T) {
	key := []byte("chicken teriyaki")
	const text = "I would like the General Gau's Chicken, please, and wonton soup."
	for _, tt := range []struct {
		length int
		want   string
	}{
		{17, "c6353568f2bf8cb4d8a580362da7ff7f97"},
		{31, "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5"},
		{32, "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584"},
		{47, "97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5"},
	} {
		got := encryptCTS(key, []byte(text[:tt.length]))
		if hex.EncodeToString(got) != tt.want {
			t.Errorf("%d bytes: got %x, want %s", tt.length, got, tt.want)
		}
	}
	for n := 16; n <= len(text); n++ {
		if got := decryptCTS(key, encryptCTS(key, []byte(text[:n]))); string(got) != text[:n] {
			t.Errorf("%d bytes there and back: got %q", n, got)
		}
	}
}

// RFC 3962, B: the key of a password is derived by the label kerberos.
func TestDeriveSHA1(t *testing.T) {
	for _, want := range []string{
		"42263c6e89f4fc28b8df68ee09799f15",
		"fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161",
	} {
		key, err := pbkdf2.Key(sha1.New, "password", []byte("ATHENA.MIT.EDUraeburn"), 1, len(want)/2)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(deriveSHA1(key, []byte("kerberos"))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

const (
	key128 = "3705d96080c17728a0e800eab6e0d23c"
	key256 = "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52"
)

// RFC 8009, A.
func TestDeriveSHA2(t *testing.T) {
	for _, tt := range []struct {
		e          EType
		key        string
		kc, ke, ki string
	}{
		{AES128SHA2, key128, "b31a018a48f54776f403e9a396325dc3", "9b197dd1e8c5609d6e67c3e37c62c72e", "9fda0e56ab2d85e1569a688696c26a6c"},
		{AES256SHA2, key256, "ef5718be86cc84963d8bbb5031e9f5c4ba41f28faf69e73d",
			"56ab22bee63d82d7bc5227f6773f8ea7a5eb1c825160c38312980c442e5c7e49", "69b16514e3cd8e56b82010d5c73012b622c4d00ffc23ed1f"},
	} {
		k := Key{tt.e, unhex(t, tt.key)}
		for last, want := range map[byte]string{deriveSum: tt.kc, deriveEncrypt: tt.ke, deriveIntegrity: tt.ki} {
			if got := hex.EncodeToString(k.derive(2, last)); got != want {
				t.Errorf("%v for %#x: got %s, want %s", tt.e, last, got, want)
			}
		}
	}
}

// RFC 8009, A.
func TestEncryptSHA2(t *testing.T) {
	for _, tt := range []struct {
		e                            EType
		key, confounder, plain, want string
	}{
		{AES128SHA2, key128, "7e5895eaf2672435bad817f545a37148", "",
			"ef85fb890bb8472f4dab20394dca781dad877eda39d50c870c0d5a0a8e48c718"},
		{AES128SHA2, key128, "7bca285e2fd4130fb55b1a5c83bc5b24", "000102030405",
			"84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c"},
		{AES128SHA2, key128, "56ab21713ff62c0a1457200f6fa9948f", "000102030405060708090a0b0c0d0e0f",
			"3517d640f50ddc8ad3628722b3569d2ae07493fa8263254080ea65c1008e8fc295fb4852e7d83e1e7c48c37eebe6b0d3"},
		{AES256SHA2, key256, "f764e9fa15c276478b2c7d0c4e5f58e4", "",
			"41f53fa5bfe7026d91faf9be959195a058707273a96a40f0a01960621ac612748b9bbfbe7eb4ce3c"},
	} {
		k := Key{tt.e, unhex(t, tt.key)}
		if got := hex.EncodeToString(k.encryptWith(2, unhex(t, tt.confounder), unhex(t, tt.plain))); got != tt.want {
			t.Errorf("%v of %q: got %s, want %s", tt.e, tt.plain, got, tt.want)
		}
		if got, err := k.decrypt(2, unhex(t, tt.want)); err != nil || hex.EncodeToString(got) != tt.plain {
			t.Errorf("%v back: got %x, %v, want %s", tt.e, got, err, tt.plain)
		}
	}
}

// RFC 8009, A.
func TestSumSHA2(t *testing.T) {
	data := unhex(t, "000102030405060708090a0b0c0d0e0f1011121314")
	for _, tt := range []struct {
		e         EType
		key, want string
	}{
		{AES128SHA2, key128, "d78367186643d67b411cba9139fc1dee"},
		{AES256SHA2, key256, "45ee791567eefca37f4ac1e0222de80d43c3bfa06699672a"},
	} {
		if got := hex.EncodeToString(Key{tt.e, unhex(t, tt.key)}.sum(2, data[:3], data[3:])); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.e, got, tt.want)
		}
	}
}

// Whatever is changed, cut off or used elsewhere is found.
func TestDecryptRefuses(t *testing.T) {
	for e := range suites {
		k := randomKey(e)
		for n := range 40 {
			plain := bytes.Repeat([]byte{byte(n)}, n)
			sealed := k.encrypt(7, plain)
			if got, err := k.decrypt(7, sealed); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%v, %d bytes: got %x, %v", e, n, got, err)
			}
			if _, err := k.decrypt(8, sealed); !errors.Is(err, ErrDecrypt) {
				t.Errorf("%v, another use: %v", e, err)
			}
			if _, err := randomKey(e).decrypt(7, sealed); !errors.Is(err, ErrDecrypt) {
				t.Errorf("%v, another key: %v", e, err)
			}
			for i := range sealed {
				sealed[i] ^= 4
				if _, err := k.decrypt(7, sealed); !errors.Is(err, ErrDecrypt) {
					t.Errorf("%v, %d bytes, byte %d changed: %v", e, n, i, err)
				}
				sealed[i] ^= 4
				if _, err := k.decrypt(7, sealed[:i]); !errors.Is(err, ErrDecrypt) {
					t.Errorf("%v, %d bytes cut to %d: %v", e, n, i, err)
				}
			}
		}
	}
}

func TestKeyIsSecret(t *testing.T) {
	k, err := newKey(AES128SHA1, []byte("chicken teriyaki"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "key of aes128-cts-hmac-sha1-96"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, k); got != want {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
	}
	if _, err := newKey(AES256SHA1, k.Value); err == nil {
		t.Errorf("a key of half the length was taken")
	}
	if _, err := newKey(23, k.Value); err == nil || !strings.Contains(err.Error(), "arcfour-hmac") {
		t.Errorf("a key of RC4: got %v", err)
	}
}

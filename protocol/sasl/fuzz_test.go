package sasl

import "testing"

// A password that no input knows is never proved.
func FuzzDigestServer(f *testing.F) {
	for _, x := range exchanges {
		f.Add([]byte{}, []byte(x.response))
	}
	f.Add([]byte("x"), []byte(`nonce="\`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := NewDigestServer(func(string) (string, bool) { return newNonce(), true })
		s.nonce = exchanges[0].nonce
		for _, token := range [][]byte{first, second, second} {
			if reply, user, err := s.Step(token); user != "" || err != nil && reply != nil {
				t.Fatalf("%q: got %q, user %q, %v", token, reply, user, err)
			}
		}
	})
}

// Whatever name and password there are, a client that has been given them proves them
// to a server that knows them; whatever a server says otherwise, it has proved nothing.
func FuzzDigestClient(f *testing.F) {
	for _, x := range exchanges {
		f.Add(x.user, x.password, []byte(x.challenge), []byte(x.proof))
	}
	f.Fuzz(func(t *testing.T, user, password string, challenge, proof []byte) {
		c := NewDigestClient(user, password)
		c.Step(nil)
		if response, done, err := c.Step(challenge); done || err != nil && response != nil {
			t.Fatalf("%q: got %q, done %v, %v", challenge, response, done, err)
		}
		if response, done, _ := c.Step(proof); done || response != nil {
			t.Fatalf("%q: got %q, done %v", proof, response, done)
		}
		if user == "" || string([]rune(user)) != user || len(user) > maxTokenBytes/8 {
			return
		}
		c = NewDigestClient(user, password)
		s := NewDigestServer(passwords(user, password))
		var token []byte
		for range 2 {
			answer, _, err := c.Step(token)
			if err != nil {
				t.Fatal(err)
			}
			if token, _, err = s.Step(answer); err != nil {
				t.Fatalf("%q: %v", answer, err)
			}
		}
		if _, done, err := c.Step(token); !done || err != nil {
			t.Fatalf("done %v, %v", done, err)
		}
	})
}

package acl

import "testing"

// TestX500 holds what Java's X500Principal says of each name.
func TestX500(t *testing.T) {
	for _, id := range []string{
		"", "CN=a", "cn=a,ou=b", "CN=", "CN=a+OU=b", `CN="a,b",O=c`, "1.2.3=x", "CN=a;OU=b", "CN=#04024869", "CN=a=b", " CN=a ",
		"O=x, CN=a", `CN=a\,b`, "C=US", "CN=é", "OID.1.2.3=a", "oid.1.2.3=a", "2.100.3=a", "0.39=a", "01.2=a", "2.999=a",
		"1.2.99999999999999999999999=a", "CN = a", "CN =a", "CN= a", "CN=a ,O=b", `CN="a" ,O=b`, `CN="a\"b"`, `CN=\41`, `CN=\ a`,
		`CN=a\\`, "CN=a#b", "CN=#1303414243", "C=", "C=USA", "DC=é", "CN=\n", "CN=a\nb", "CN==", "CN=a=b,O=c", "CN=a+OU=b+O=c,DC=x",
		"EMAIL=a@b", "CN=a\x00", "CN=a, O=b ; OU=c", `CN=\C3`, `CN=" a "`, "CN=a  b", `CN=a\,`, `CN="a+b"`, `CN="a"+O=b`, `CN=\#a`,
		`CN=\"`, `CN=a\<b`, `CN="a\41"`, `CN="#41"`, `CN=\20x`, "1.2.3=", "1.2.3=a,CN=b", "SERIALNUMBER=1", "T=x", "IP=1", "DNQ=x",
	} {
		if !validX500(id) {
			t.Errorf("%q is refused", id)
		}
	}
	for _, id := range []string{
		"a", "CN=a,", "XX=a", "anyone", `CN=a\`, "SN=a", "TITLE=a", "1=a", "3.2=a", "0.40=a", "1.40=a", "1.2.=a", ".1.2=a", "1..2=a",
		"not a name", " ", ",", ";", "CN=a,,O=b", "CN=a;;O=b", "CN=a+", "+CN=a", "CN=a++O=b", "CN=a, ", "CN=a;", `CN="a`, `CN="a"b`,
		`CN=a"b`, `CN=a"b"`, `CN=\4`, `CN=\zz`, "CN=a<b", "CN=a>b", "CN=#", "CN=#0", "CN=#zz", "CN=#00", "CN=#0402",
		"CN=#1303414243 ,O=b", "CN=#13034142", "C\nN=a", "é=a", "CN", "=a", "CN=a,O", "a.b=c", `CN="a,b`, ",CN=a", `CN="\`,
		`CN=a,"O=b"`, `O"=b`, `CN=a\*b`, `CN=a\nb`, `CN="a\nb"`, "1.2.3=#0401",
	} {
		if validX500(id) {
			t.Errorf("%q is accepted", id)
		}
	}
}

func FuzzX500(f *testing.F) {
	for _, id := range []string{"CN=a,O=b", `CN="a\"b"+1.2=#0402ffff`, `CN=\`} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		// Two names with a separator between are a name, and a name with another
		// attribute behind it is one.
		if id != "" && validX500(id) && !validX500(id+",CN=x") {
			t.Errorf("%q is a name, and with an attribute more it is none", id)
		}
	})
}

func TestSASL(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "a@B": true, "a/b": true, "a/b@C": true, "a@b@c": false, "": true, "@": true, "a@": true, "@b": true, "a/b/c": true,
		"a/b/c@d": false, "a/@b": true, "/a@b": true, "super": true, "a b@c": true, "a@b/c": false, "a//b@c": false,
	} {
		if got := validSASL(id); got != want {
			t.Errorf("%q: valid %v, want %v", id, got, want)
		}
	}
}

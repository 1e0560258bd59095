package credential

import (
	"errors"
	"strings"
	"testing"
)

type loginVector struct {
	Name          string
	ClientID      string
	Username      string
	Password      string
	Secret        string
	ProductSecret string
	Token         string
	Ticket        string
	Standing      string
	Encrypted     bool
	Proof         string
	MatchChannel  bool
	Refused       string
	Says          string
}

var standings = map[string]Standing{
	"": Enabled, "disabled": Disabled, "no_product": NoProduct, "no_device": NoDevice, "no_ticket": NoTicket, "failed": Failed,
}

var proofs = map[string]Proof{
	"": NoProof, "pre-shared key": ProofKey, "certificate": ProofCertificate, "chip": ProofChip,
}

func (v *loginVector) verifier(t testing.TB) *Verifier {
	standing, ok := standings[v.Standing]
	if !ok {
		t.Fatalf("%s: standing %q", v.Name, v.Standing)
	}
	return &Verifier{MatchChannel: v.MatchChannel, Directory: &directory{
		secret: []byte(v.Secret), productSecret: []byte(v.ProductSecret), token: []byte(v.Token), ticket: []byte(v.Ticket), standing: standing,
	}}
}

func (v *loginVector) connect() *Connect {
	return &Connect{
		ClientID: []byte(v.ClientID), Username: []byte(v.Username), Password: []byte(v.Password),
		Encrypted: v.Encrypted, Proof: proofs[v.Proof],
	}
}

func TestVerify(t *testing.T) {
	for _, v := range vectors[loginVector](t, "logins.json") {
		t.Run(v.Name, func(t *testing.T) {
			var l Login
			err := v.verifier(t).Verify(v.connect(), &l)
			if v.Refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				if l.AuthType != AuthPreauthenticated && string(l.DeviceName)+"&"+string(l.ProductKey) != v.Username {
					t.Errorf("device %q of %q, user name %q", l.DeviceName, l.ProductKey, v.Username)
				}
				return
			}
			var r *Refusal
			if !errors.As(err, &r) {
				t.Fatalf("error %v, want a Refusal: %s", err, v.Refused)
			}
			if r.Part.String() != v.Refused || !strings.Contains(r.Error(), v.Says) || !strings.Contains(r.Error(), v.Refused) {
				t.Errorf("refused as %s: %v\nwant %s with %q", r.Part, r, v.Refused, v.Says)
			}
			for _, secret := range []string{v.Secret, v.ProductSecret, v.Token, v.Ticket, v.Password} {
				if len(secret) > 6 && strings.Contains(r.Error(), secret) {
					t.Errorf("the refusal names a secret: %v", r)
				}
			}
		})
	}
}

// CONNACK codes by platform-facts 1.8: 2 for the identifier, 3 for our own trouble, 4 for everything that
// would tell a stranger something, never 5.
func TestReturnCodes(t *testing.T) {
	want := map[Part]byte{
		PartClientIdentifier: 2, PartChannel: 2, PartDirectory: 3, PartUsername: 4, PartProduct: 4, PartDevice: 4,
		PartTicket: 4, PartSignature: 4, PartDisabled: 4, PartRegistration: 4, PartIdentity: 4, PartProof: 4,
	}
	for part, code := range want {
		if part.Code() != code || part.String() == "unknown" {
			t.Errorf("%s: %d, want %d", part, part.Code(), code)
		}
	}
	if len(want) != len(partNames)-1 {
		t.Errorf("%d parts have a code, %d a name", len(want), len(partNames)-1)
	}
	if Part(0).String() != "unknown" || Part(200).String() != "unknown" {
		t.Error("a part that does not exist has a name")
	}
}

// What a client sends is repeated in the log only up to a bound.
func TestRefusalsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	for name, c := range map[string]*Connect{
		"user name":   {ClientID: []byte("a|securemode=3|"), Username: []byte(long)},
		"device name": {ClientID: []byte("a|securemode=3|"), Username: []byte(long + "&" + long)},
		"secure mode": {ClientID: []byte("a|securemode=" + long + "|"), Username: []byte("d&p")},
		"method":      {ClientID: []byte("a|securemode=3,signmethod=" + long + "|"), Username: []byte("d&p")},
		"timestamp":   {ClientID: []byte("a|securemode=3,timestamp=" + long + "|"), Username: []byte("d&p"), Password: []byte(long)},
		"client id":   {ClientID: []byte(long + "|securemode=3|"), Username: []byte("d&p")},
	} {
		for _, standing := range []Standing{Enabled, Disabled, NoDevice, NoProduct, Failed} {
			v := Verifier{Directory: &directory{secret: []byte("s"), standing: standing}}
			err := v.Verify(c, new(Login))
			if err == nil || len(err.Error()) > 1000 {
				t.Errorf("%s, standing %d: error of %d bytes", name, standing, len(err.Error()))
			}
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, v := range vectors[loginVector](b, "logins.json") {
		if label, _, found := strings.Cut(v.Name, ": "); !found || len(label) > 2 || v.Refused != "" || v.Encrypted {
			continue
		}
		b.Run(v.Name, func(b *testing.B) {
			verifier, connect := v.verifier(b), v.connect()
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				var l Login
				for p.Next() {
					if err := verifier.Verify(connect, &l); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkVerifyRefuses(b *testing.B) {
	for _, v := range vectors[loginVector](b, "logins.json") {
		if v.Name != "wrong secret" && v.Name != "unknown device" {
			continue
		}
		b.Run(v.Name, func(b *testing.B) {
			verifier, connect := v.verifier(b), v.connect()
			b.ReportAllocs()
			for b.Loop() {
				if err := verifier.Verify(connect, new(Login)); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

package tlsconf

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"testing"
	"time"
)

func TestTicketsLastTwoToThreeRotations(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, c := range []struct {
			steps []time.Duration // between visits of others, then the resumption
			want  bool
		}{
			{[]time.Duration{0}, true},
			{[]time.Duration{59 * time.Minute}, true},
			{[]time.Duration{time.Hour}, true},
			{[]time.Duration{time.Hour, time.Hour}, true},
			{[]time.Duration{time.Hour, time.Hour, time.Hour}, false},
			{[]time.Duration{2*time.Hour + 59*time.Minute}, true},
			{[]time.Duration{10 * time.Hour}, false}, // nobody came in between
		} {
			site := newSite(t)
			o := site.options(Modern)
			o.TicketRotation = time.Hour
			config := site.server(o).Config()
			resuming := site.client(maxVersion(v), func(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(4) })
			if _, _, clientErr, _ := shake(resuming, config); clientErr != nil {
				t.Fatal(clientErr)
			}
			for i, step := range c.steps {
				site.now = site.now.Add(step)
				if i < len(c.steps)-1 {
					shake(site.client(maxVersion(v)), config)
				}
			}
			state, _, clientErr, serverErr := shake(resuming, config)
			if clientErr != nil || serverErr != nil || state.DidResume != c.want {
				t.Errorf("%s after %v: resumed %v, want %v (%v, %v)", tls.VersionName(v), c.steps, state.DidResume, c.want, clientErr, serverErr)
			}
		}
	}
}

func TestTicketsSurviveAReload(t *testing.T) {
	site := newSite(t)
	server := site.server(site.options(Modern))
	resuming := site.client(func(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(4) })
	shake(resuming, server.Config())
	if err := server.Reload(); err != nil {
		t.Fatal(err)
	}
	if state, _, _, _ := shake(resuming, server.Config()); !state.DidResume {
		t.Error("every client must shake hands in full after a reload")
	}
}

func TestTicketsOfAnotherServerAreWorthless(t *testing.T) {
	site := newSite(t)
	resuming := site.client(func(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(4) })
	shake(resuming, site.server(site.options(Modern)).Config())
	if state, _, clientErr, _ := shake(resuming, site.server(site.options(Modern)).Config()); state.DidResume || clientErr != nil {
		t.Errorf("resumed %v, %v", state.DidResume, clientErr)
	}
}

func TestNoSessionTickets(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		site := newSite(t)
		o := site.options(Modern)
		o.NoSessionTickets = true
		config := site.server(o).Config()
		resuming := site.client(maxVersion(v), func(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(4) })
		shake(resuming, config)
		if state, _, clientErr, _ := shake(resuming, config); state.DidResume || clientErr != nil {
			t.Errorf("resumed %v, %v", state.DidResume, clientErr)
		}
	}
}

func TestTicketKeysAreRandom(t *testing.T) {
	k := tickets{every: time.Hour, rand: bytes.NewReader(bytes.Repeat([]byte{1}, 40))}
	keys, changed, err := k.current(testNow)
	if err != nil || !changed || len(keys) != 1 || keys[0][31] != 1 {
		t.Errorf("%v, %v, %v", keys, changed, err)
	}
	// A source that fails leaves the old ones and says so.
	if again, changed, err := k.current(testNow.Add(time.Hour)); !errors.Is(err, io.ErrUnexpectedEOF) || changed || len(again) != 1 {
		t.Errorf("%v, %v, %v", again, changed, err)
	}
	site := newSite(t)
	o := site.options(Modern)
	o.Rand = bytes.NewReader(nil)
	if _, err := New(o); err == nil {
		t.Error("a server without randomness")
	}
}

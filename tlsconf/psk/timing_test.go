package psk

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

var timing = flag.Int("timing", 0, "measure this many refusals of each kind, and print how long the server took")

// TestRefusalTiming measures, when it is asked to, how long the server takes from the client's last flight to
// its alert, for the refusals that must not be told apart: one after the other, so that the machine's moods
// are everybody's. It prints and does not judge: see TestUnknownIdentityWrongKeyAndBadRecordLookTheSame and
// TestCBCOpenWorkIsTheSameForEveryPadding for what holds on every machine.
//
//	go test ./tlsconf/psk -run RefusalTiming -timing 20000 -v
func TestRefusalTiming(t *testing.T) {
	if *timing == 0 {
		t.Skip("-timing N measures")
	}
	for _, id := range []uint16{TLS_PSK_WITH_AES_128_CBC_SHA, TLS_PSK_WITH_AES_128_GCM_SHA256} {
		v := variant{id, false, true}
		wrong, unknown, spoilt := v.client(), v.client(), v.client()
		wrong.PSK = append(bytes.Clone(testKey[1:]), '0')
		unknown.Identity = []byte(strings.Replace(testIdentity, "dev1", "dev2", 1))
		kinds := []struct {
			name   string
			client *Config
			spoil  bool
			took   []float64 // nanoseconds
		}{{"wrong key", wrong, false, nil}, {"unknown identity", unknown, false, nil}, {"bad record", spoilt, true, nil}}
		server := serverConfig()
		for range *timing {
			for i := range kinds {
				k := &kinds[i]
				k.took = append(k.took, float64(timeRefusal(t, k.client, server, k.spoil)))
			}
		}
		var table strings.Builder
		fmt.Fprintf(&table, "%s, %d refusals of each kind\n%-17s %9s %9s %9s %9s %9s\n", CipherSuiteName(id), *timing,
			"", "median ns", "p10", "p90", "mean", "t")
		_, base, spread := summary(kinds[0].took)
		for _, k := range kinds {
			sorted, mean, variance := summary(k.took)
			n := float64(len(sorted))
			// Welch's t of the middle nine tenths against the first kind: beyond some 4.5 the kinds differ.
			welch := (mean - base) / math.Sqrt(variance/n+spread/n)
			fmt.Fprintf(&table, "%-17s %9.0f %9.0f %9.0f %9.0f %9.2f\n", k.name, sorted[len(sorted)/2], sorted[len(sorted)/10],
				sorted[len(sorted)*9/10], mean, welch)
		}
		t.Log(table.String())
	}
}

// timeRefusal is how long the server took between the client's second flight and its alert.
func timeRefusal(t *testing.T, client, server *Config, spoil bool) time.Duration {
	var came, answered time.Time
	flights := 0
	_, _, _, err := pair(client, server, func(toServer, toClient *stream) {
		toServer.filter = func(b []byte) []byte {
			if flights++; flights == 2 {
				if spoil {
					b[len(b)-1] ^= 1
				}
				came = time.Now()
			}
			return b
		}
		toClient.record = func(b []byte) { answered = time.Now() }
	})
	if err == nil {
		t.Fatal("let in")
	}
	return answered.Sub(came)
}

// summary sorts, and gives mean and variance of the middle nine tenths.
func summary(took []float64) (sorted []float64, mean, variance float64) {
	sorted = slices.Sorted(slices.Values(took))
	middle := sorted[len(sorted)/20 : len(sorted)-len(sorted)/20]
	for _, x := range middle {
		mean += x / float64(len(middle))
	}
	for _, x := range middle {
		variance += (x - mean) * (x - mean) / float64(len(middle))
	}
	return sorted, mean, variance
}

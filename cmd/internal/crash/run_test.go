package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

// short is a run of a second or two, with a broker that often dies before its clients are back.
func short(kills int, seed uint64) Options {
	return Options{
		Kills: kills, PowerCuts: true, Durability: "disk", Publishers: 4, Subscribers: 3, Rate: 3000,
		MinInterval: 2 * time.Millisecond, MaxInterval: 120 * time.Millisecond, Timeout: 20 * time.Second, Seed: seed,
	}
}

func TestNothingIsLostInPowerCuts(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 8
	}
	said := 0
	o := short(kills, 1)
	o.Progress = func(p Progress) { said++ }
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() || report.Kills != kills || said != kills {
		t.Errorf("%d kills, %d lines of progress, %+v", report.Kills, said, report)
	}
	if report.Redelivered == 0 || report.Published == report.Acknowledged {
		t.Errorf("no crash hit anything: %+v", report)
	}
}

// A run that is interrupted proves nothing, and accuses nobody.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupt := errors.New("interrupted")
	o := short(1000, 1)
	o.Progress = func(p Progress) {
		if p.Kills == 2 {
			cancel(interrupt)
		}
	}
	report, err := Run(ctx, o)
	if report == nil || !errors.Is(err, interrupt) {
		t.Fatalf("report %+v, %v", report, err)
	}
	var text strings.Builder
	report.Print(&text)
	if report.OK() || !report.Interrupted || !strings.Contains(text.String(), "Interrupted after 2 of 1000: nothing was lost so far, but nothing is proved.") {
		t.Errorf("report %+v\n%s", report, &text)
	}
	report.FaultsByKind[Doubled]++
	text.Reset()
	report.Print(&text)
	if !strings.Contains(text.String(), "The promise was broken.") {
		t.Errorf("a fault from before:\n%s", &text)
	}
}

// A run whose kills come too early to hit anything proves nothing, however little was lost.
func TestKillsThatHitNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := short(3, 1)
		o.MinInterval, o.MaxInterval = time.Millisecond, time.Millisecond
		report, err := drive(t.Context(), o, distant{newPowered(rand.New(rand.NewPCG(1, 1)))}, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		report.Print(&text)
		if report.OK() || report.faulty() || !report.Complete || !strings.Contains(text.String(), "so nothing is proved.") {
			t.Errorf("%+v\n%s", report, &text)
		}
	})
}

// A disk that says that it has synced, and has not, must be found out; so must a level that promises less.
func TestLiesAreFoundOut(t *testing.T) {
	for name, change := range map[string]func(*powered){
		"a disk that does not sync": func(p *powered) { p.wrap = func(fs vfs.FS) vfs.FS { return liar{fs} } },
		"level os in a power cut":   func(p *powered) { p.level = wal.OS },
	} {
		t.Run(name, func(t *testing.T) {
			o := short(6, 1)
			o.MinInterval, o.Timeout = 60*time.Millisecond, 5*time.Second
			p := newPowered(rand.New(rand.NewPCG(1, 1)))
			change(p)
			report, err := drive(t.Context(), o, p, rand.New(rand.NewPCG(1, 2)))
			if err != nil {
				t.Fatal(err)
			}
			if report.OK() || report.FaultsByKind[Lost]+report.FaultsByKind[Broker]+report.FaultsByKind[NoSession] == 0 {
				t.Errorf("nothing was found: %+v", report)
			}
		})
	}
}

// liar is a directory whose files do not sync.
type liar struct{ vfs.FS }

func (l liar) Open(name string, create bool) (vfs.File, error) {
	f, err := l.FS.Open(name, create)
	return lyingFile{f}, err
}

type lyingFile struct{ vfs.File }

func (lyingFile) Sync() error { return nil }

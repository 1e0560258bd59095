package server

import (
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"sampan/broker"
	"sampan/broker/quota"
	"sampan/packet"
)

// parse makes settings of a command line.
func parse(t *testing.T, args ...string) *Settings {
	t.Helper()
	s := new(Settings)
	command := new(cobra.Command)
	s.Register(command)
	if err := command.Flags().Parse(args); err != nil {
		t.Fatal(err)
	}
	return s
}

// Whoever adds a quantity to the platform's table finds it missing here.
func TestEveryQuantityIsASetting(t *testing.T) {
	var args []string
	s := parse(t)
	for _, q := range s.Limits.limits {
		args = append(args, "--"+limitFlag(q.Quantity), map[string]string{"count": "1", "size": "1", "duration": "1ns"}[q.value.Type()])
	}
	for _, item := range quota.Items() {
		args = append(args, "--"+rateFlag(item), "1/s")
	}
	var got quota.Limits
	parse(t, args...).Limits.apply(&got)
	v := reflect.ValueOf(got)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Rates" {
			for item, rate := range got.Rates {
				if rate != quota.PerSecond(1) {
					t.Errorf("no setting sets the rate %s", quota.Item(item))
				}
			}
		} else if v.Field(i).Int() != 1 {
			t.Errorf("no setting sets quota.Limits.%s", name)
		}
	}
}

func TestQuantitiesKeepWhatWasNotSet(t *testing.T) {
	want := quota.Platform()
	want.Payload, want.Subscriptions, want.Rates[quota.UplinkQoS0], want.Rates[quota.Connects] = 1<<20, 0, quota.Rate{Limit: 5, Per: time.Minute}, quota.Rate{Per: time.Millisecond}
	got := parse(t, "--limit-payload=1MiB", "--limit-subscriptions=unlimited", "--rate-uplink-qos0=5/min", "--rate-connects=unlimited").quotas()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	want = &quota.Limits{Payload: 256 << 10, TopicSlashes: 9, Subscriptions: 10_000, InFlight: 4096, Storage: 7 * 24 * time.Hour}
	if diff := cmp.Diff(want, parse(t, "--profile=open", "--limit-topic-slashes=9").quotas()); diff != "" {
		t.Errorf("open: (-want +got)\n%s", diff)
	}
	if rate := parse(t, "--rate-connects=unlimited").quotas().Rate(quota.Connects); rate.Limited() {
		t.Errorf("unlimited is %s", rate)
	}
}

// The broker has the platform's limits as defaults of its own; they and the table must not drift apart.
func TestTheBrokersDefaultsAreThePlatforms(t *testing.T) {
	platform := quota.Platform()
	limits := packet.DefaultLimits()
	for _, c := range []struct {
		name        string
		table, code int
	}{
		{"payload", int(platform.Payload), limits.Payload},
		{"topic", int(platform.TopicLength), limits.Topic},
		{"slashes", platform.TopicSlashes, limits.Slashes},
		{"filters", platform.FiltersPerSubscribe, limits.Filters},
	} {
		if c.table != c.code {
			t.Errorf("%s: %d in the table, %d by default", c.name, c.table, c.code)
		}
	}
	for profile, table := range map[string]*quota.Limits{"platform": platform, "open": openQuantities()} {
		o := parse(t, "--profile="+profile).options(slog.New(slog.DiscardHandler))
		o.Authenticator = broker.AuthenticatorFunc(nil)
		b, err := broker.New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Shutdown(t.Context())
		bounds := b.Stats().Bounds
		if int(bounds.Subscriptions) != table.Subscriptions || int(bounds.Window) != table.InFlight {
			t.Errorf("%s: the broker's bounds are %+v", profile, bounds)
		}
	}
}

// In the open profile every setting changes what the broker does, or is refused by its name.
func TestWhatHasNoEffectInTheOpenProfileIsRefused(t *testing.T) {
	values := map[string]string{"count": "7", "size": "7", "duration": "7s", "rate": "7/s"}
	before := parse(t, "--profile=open").options(nil)
	s := parse(t)
	for _, q := range s.Limits.limits {
		name := limitFlag(q.Quantity)
		set := parse(t, "--profile=open", "--"+name+"="+values[q.value.Type()])
		works := !cmp.Equal(before, set.options(nil))
		err := set.Check()
		if refused := err != nil && strings.HasPrefix(err.Error(), name+": without effect in the open profile"); refused == works {
			t.Errorf("--%s has an effect: %v; Check: %v", name, works, err)
		}
	}
	given := []string{"--profile=open", "--api=127.0.0.1:8080", "--match-channel", "--plain-registration", "--forbidden-publish=close"}
	names := "api, forbidden-publish, match-channel, plain-registration"
	idle := []string{"--profile=open", "--api=off", "--match-channel=false", "--forbidden-publish=acknowledge", "--limit-shadow=unlimited"}
	rates := []string{}
	for _, item := range quota.Items() {
		given, idle = append(given, "--"+rateFlag(item)+"=7/s"), append(idle, "--"+rateFlag(item)+"=unlimited")
		rates = append(rates, rateFlag(item))
	}
	slices.Sort(rates)
	err := parse(t, given...).Check()
	if err == nil || !strings.HasPrefix(err.Error(), names+", "+strings.Join(rates, ", ")+": without effect") {
		t.Errorf("all of the platform's: %v", err)
	}
	if err := parse(t, idle...).Check(); err != nil {
		t.Errorf("what is so anyway: %v", err)
	}
	given[0] = "--profile=platform"
	if err := parse(t, given...).Check(); err != nil {
		t.Errorf("in the platform's profile: %v", err)
	}
}

func TestBoundsBecomeOptions(t *testing.T) {
	s := parse(t, "--profile=open", "--max-connections=5", "--session-expiry=unlimited", "--queue-bytes=1MiB",
		"--limit-subscriptions=7", "--limit-in-flight=unlimited", "--limit-keep-alive-max=10m",
		"--forbidden-publish=close", "--delivered-qos=publisher", "--keep-alive-zero=accept", "--keep-alive-long=clamp", "--queue-full=drop-newest")
	got := s.options(nil)
	want := broker.Options{
		Profile: broker.Open, MaxConnections: 5, SessionExpiry: broker.Unlimited, QueueBytes: 1 << 20,
		MaxSubscriptions: 7, Window: broker.Unlimited, KeepAliveMax: 10 * time.Minute,
		CloseOnForbidden: true, DeliveredQoS: broker.PublishersQoS, AllowNoKeepAlive: true, ClampKeepAlive: true, DropNewest: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(broker.Options{Profile: broker.Platform}, parse(t).options(nil)); diff != "" {
		t.Errorf("nothing set: (-want +got)\n%s", diff)
	}
}

// Every bound reaches an option of its own.
func TestEveryBoundIsAnOption(t *testing.T) {
	for _, b := range parse(t).Bounds.bounds {
		s := parse(t, "--"+b.name+"=unlimited")
		changed := 0
		o, zero := reflect.ValueOf(s.options(nil)), reflect.ValueOf(broker.Options{})
		for i := range o.NumField() {
			if f := o.Field(i); f.CanInt() && f.Int() != zero.Field(i).Int() {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("--%s changes %d options", b.name, changed)
		}
	}
}

func TestDecodeLimits(t *testing.T) {
	if got := parse(t).decodeLimits(); got != nil {
		t.Errorf("nothing set: %+v", got)
	}
	want := packet.DefaultLimits()
	want.Payload, want.Remaining = 1<<20, 1<<20+128+4
	if diff := cmp.Diff(&want, parse(t, "--limit-payload=1MiB").decodeLimits()); diff != "" {
		t.Errorf("payload: (-want +got)\n%s", diff)
	}
	// Whatever is set, the open profile keeps its bound on levels unless that is what is set.
	for arg, set := range map[string]func(l *packet.Limits){
		"--limit-payload=1MiB":             func(l *packet.Limits) { l.Payload, l.Remaining = 1<<20, 1<<20+math.MaxUint16+4 },
		"--limit-topic-length=200":         func(l *packet.Limits) { l.Topic, l.Remaining = 200, l.Payload+200+4 },
		"--limit-topic-slashes=9":          func(l *packet.Limits) { l.Slashes = 9 },
		"--limit-topic-slashes=unlimited":  func(l *packet.Limits) { l.Slashes = 0 },
		"--limit-filters-per-subscribe=20": func(l *packet.Limits) { l.Filters = 20 },
	} {
		want := packet.DefaultLimits()
		want.Topic, want.Slashes, want.Filters, want.Remaining = 0, 127, 0, want.Payload+math.MaxUint16+4
		set(&want)
		if diff := cmp.Diff(&want, parse(t, "--profile=open", arg).decodeLimits()); diff != "" {
			t.Errorf("open, %s: (-want +got)\n%s", arg, diff)
		}
	}
	want = packet.DefaultLimits()
	want.Payload, want.Remaining = 0, 0
	if diff := cmp.Diff(&want, parse(t, "--limit-payload=unlimited").decodeLimits()); diff != "" {
		t.Errorf("unlimited: (-want +got)\n%s", diff)
	}
}

func TestCheckFindsWhatIsWrongTogether(t *testing.T) {
	for _, c := range []struct {
		explains string
		args     []string
	}{
		{"", nil},
		{"", []string{"--listen=mqtt://127.0.0.1:0", "--listen=ws://127.0.0.1:0"}},
		{"127.0.0.1:1 is named twice", []string{"--listen=mqtt://127.0.0.1:1", "--listen=ws://127.0.0.1:1"}},
		{"cert and key belong together", []string{"--key=k"}},
		{"mqtts://127.0.0.1:0 needs a certificate", []string{"--listen=mqtts://127.0.0.1:0"}},
		{"wss://127.0.0.1:0 needs a certificate", []string{"--listen=wss://127.0.0.1:0"}},
		{"", []string{"--listen=mqtts://127.0.0.1:0", "--cert=c", "--key=k"}},
		{"the open profile has no devices", []string{"--listen=psk://127.0.0.1:0", "--profile=open"}},
		{"", []string{"--listen=psk://127.0.0.1:0"}},
		{"by mqtts://127.0.0.1:0?accept=high: level high is for clients with a certificate, so set client-ca", []string{"--listen=mqtts://127.0.0.1:0?accept=high", "--cert=c", "--key=k"}},
		{"", []string{"--listen=mqtts://127.0.0.1:0?accept=high", "--cert=c", "--key=k", "--client-ca=a"}},
		{"", []string{"--listen=mqtts://127.0.0.1:0?accept=tls,high", "--cert=c", "--key=k"}},
		{"", []string{"--listen=chip:///run/chip"}},
		{"require-client-cert refuses them", []string{"--listen=wss://127.0.0.1:0?accept=tls", "--cert=c", "--key=k", "--client-ca=a", "--require-client-cert"}},
		{"so set cert and key", []string{"--listen=auto://127.0.0.1:0?accept=high"}},
		{"", []string{"--listen=auto://127.0.0.1:0"}},
		{"the open profile has no devices", []string{"--listen=auto://127.0.0.1:0?accept=medium", "--profile=open"}},
		{"limit-keep-alive-min 30m is above limit-keep-alive-max 20m", []string{"--limit-keep-alive-min=30m"}},
		{"limit-keep-alive-min 30s is above limit-keep-alive-max 20s", []string{"--limit-keep-alive-max=20s"}},
		{"", []string{"--limit-keep-alive-min=30m", "--limit-keep-alive-max=unlimited"}},
		{"", []string{"--limit-keep-alive-max=20s", "--profile=open"}},
		{"limit-keep-alive-min 20h is longer than a client can say", []string{"--limit-keep-alive-min=20h", "--limit-keep-alive-max=unlimited"}},
		{"limit-in-flight 100000 is more than there are packet identifiers", []string{"--limit-in-flight=100000"}},
		{"", []string{"--limit-in-flight=unlimited"}},
		{"limit-rrpc-timeout-min 30s is above limit-rrpc-timeout-max 8s", []string{"--limit-rrpc-timeout-min=30s"}},
	} {
		err := parse(t, c.args...).Check()
		if (err == nil) != (c.explains == "") || err != nil && !strings.Contains(err.Error(), c.explains) {
			t.Errorf("%v: %v, want %q", c.args, err, c.explains)
		}
	}
}

func TestWhatNeedsANewStartIsNamed(t *testing.T) {
	before := parse(t, "--max-sessions=7")
	if names := before.changes(parse(t, "--max-sessions=7", "--log-level=debug", "--log-format=json")); len(names) != 0 {
		t.Errorf("live settings are said to need a new start: %v", names)
	}
	if names := before.changes(parse(t, "--max-sessions=8", "--listen=mqtt://:1")); !cmp.Equal(names, []string{"listen", "max-sessions"}) {
		t.Errorf("changed: %v", names)
	}
}

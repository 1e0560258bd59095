package metrics

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sampan/broker/alink"
	"sampan/broker/ledger"
	"sampan/broker/quota"
)

func TestQuotas(t *testing.T) {
	limits := quota.Platform()
	limits.SubDevices = 0
	limits.Rates[quota.Connects] = quota.Rate{Limit: 6, Per: time.Minute}
	limits.Rates[quota.Downlink] = quota.Rate{}
	got := gather(t, Quotas(limits, func() map[string]uint64 { return map[string]uint64{"shadow": 3, "max-sessions": 4} }))
	for name, want := range map[string]float64{
		"sampan_quota_limit,quota=payload": 256 << 10, "sampan_quota_limit,quota=sub-devices": 0, "sampan_quota_limit,quota=rrpc-timeout-max": 8e9,
		"sampan_quota_rate,quota=connects": 0.1, "sampan_quota_rate,quota=downlink": 0, "sampan_quota_rate,quota=shadow-requests": 20,
		"sampan_quota_refused_total,quota=shadow": 3, "sampan_quota_refused_total,quota=max-sessions": 4, "sampan_quota_refused_total,quota=downlink": 0,
	} {
		if v, found := got[name]; !found || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, found, want)
		}
	}
	if want := 2*len(quota.Quantities()) + 2*len(quota.Items()) + 1; len(got) != want {
		t.Errorf("%d metrics, want %d", len(got), want)
	}
}

func TestLedgerAndServices(t *testing.T) {
	want := map[string]float64{
		"sampan_ledger_records,kind=shadow": 1, "sampan_ledger_records_max": 2, "sampan_ledger_bytes": 3, "sampan_ledger_bytes_max": 4,
		"sampan_ledger_log_bytes": 5, "sampan_ledger_compaction_failed": 1,
	}
	got := gather(t, Ledger(func() ledger.Stats {
		return ledger.Stats{Records: map[ledger.Kind]int{ledger.Shadow: 1}, MaxRecords: 2, Bytes: 3, MaxBytes: 4, LogBytes: 5, Failure: errors.New("disk full")}
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var s alink.Stats
	s.Requests.Add(1)
	s.Refused.Add(2)
	s.Events.Add(3)
	s.Failures.Add(4)
	want = map[string]float64{"sampan_alink_requests_total": 1, "sampan_alink_refused_total": 2, "sampan_alink_events_total": 3, "sampan_alink_failures_total": 4}
	if diff := cmp.Diff(want, gather(t, Services(&s))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

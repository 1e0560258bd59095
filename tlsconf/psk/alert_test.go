package psk

import "testing"

func TestAlertNames(t *testing.T) {
	if AlertBadRecordMAC.String() != "bad_record_mac" || Alert(99).String() != "alert 99" {
		t.Error(AlertBadRecordMAC, Alert(99))
	}
	if got := fail(AlertDecodeError, "why").Error(); got != "psk: why (decode_error)" {
		t.Error(got)
	}
	if AlertCloseNotify.level() != levelWarning || AlertBadRecordMAC.level() != levelFatal {
		t.Error("levels")
	}
}

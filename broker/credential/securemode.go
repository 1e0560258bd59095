package credential

import "strconv"

// SecureMode is the securemode parameter: over which channel, and by which kind of proof, a client says
// that it connects. The values are those of the official C SDK 2 and the pages of 2020.
type SecureMode int8

const (
	ModeNoPreregistration SecureMode = -2 // TLS; one secret per product, device not registered before
	ModeGuiderTLS         SecureMode = -1 // TLS, after HTTPS authentication: user name iotId, password iotToken
	ModeGuiderTCP         SecureMode = 0  // the same over plain TCP
	ModeGuiderID2TCP      SecureMode = 1  // the same with a chip
	ModeTLS               SecureMode = 2  // TLS, also by pre-shared key, by certificate, and over wss
	ModeTCP               SecureMode = 3  // plain TCP, also over ws
	ModeID2TCP            SecureMode = 4  // plain TCP with a chip
	ModeGuiderID2TLS      SecureMode = 5  // TLS with a chip, after HTTPS authentication
	ModeID2TLS            SecureMode = 7  // TLS with a chip
	ModeID2ITLS           SecureMode = 8  // the vendor's own handshake with a chip
)

// mode describes a value.
type mode struct {
	name      string
	encrypted bool
	guider    bool
	chip      bool
}

// modes holds the known values from -2 on; 6 is unused, and no source names another.
var modes = [...]mode{
	2 + ModeNoPreregistration: {name: "tls, not registered before", encrypted: true},
	2 + ModeGuiderTLS:         {name: "tls after https authentication", encrypted: true, guider: true},
	2 + ModeGuiderTCP:         {name: "tcp after https authentication", guider: true},
	2 + ModeGuiderID2TCP:      {name: "tcp after https authentication, chip", guider: true, chip: true},
	2 + ModeTLS:               {name: "tls", encrypted: true},
	2 + ModeTCP:               {name: "tcp"},
	2 + ModeID2TCP:            {name: "tcp, chip", chip: true},
	2 + ModeGuiderID2TLS:      {name: "tls after https authentication, chip", encrypted: true, guider: true, chip: true},
	2 + ModeID2TLS:            {name: "tls, chip", encrypted: true, chip: true},
	2 + ModeID2ITLS:           {name: "itls, chip", encrypted: true, chip: true},
}

func (m SecureMode) mode() mode {
	if i := int(m) + 2; 0 <= i && i < len(modes) {
		return modes[i]
	}
	return mode{}
}

// Known reports whether the value has a meaning.
func (m SecureMode) Known() bool { return m.mode().name != "" }

// Encrypted reports whether the client says that its channel is encrypted. ID2 over TCP encrypts the
// payloads, not the channel.
func (m SecureMode) Encrypted() bool { return m.mode().encrypted }

// Guider reports whether user name and password are those of an HTTPS authentication (iotId, iotToken).
func (m SecureMode) Guider() bool { return m.mode().guider }

// Chip reports whether the proof is made by a chip (ID²), not by the device's secret.
func (m SecureMode) Chip() bool { return m.mode().chip }

// String returns the number and its meaning.
func (m SecureMode) String() string {
	n := strconv.Itoa(int(m))
	if m.Known() {
		return n + " (" + m.mode().name + ")"
	}
	return n + " (unknown)"
}

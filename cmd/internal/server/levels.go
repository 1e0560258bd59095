package server

import (
	"slices"

	"sampan/cmd/internal/address"
)

// levels are those by which somebody can come in at a listener: what it accepts, without what the other settings
// make impossible.
func (s *Settings) levels(scheme address.Scheme, accepted []address.Level) []address.Level {
	return slices.DeleteFunc(slices.Clone(accepted), func(l address.Level) bool {
		return scheme != address.Chip && s.why(l) != ""
	})
}

// why says why nobody has a level on a channel that is no chip's, or nothing if somebody can.
func (s *Settings) why(l address.Level) string {
	switch {
	case (l == address.TLSOnly || l == address.High) && s.Cert == "":
		return "there is no certificate, so set cert and key"
	case l == address.TLSOnly && s.RequireClientCert:
		return "level tls is for clients without a certificate, and require-client-cert refuses them"
	case l == address.High && s.ClientCA == "":
		return "level high is for clients with a certificate, so set client-ca, which says whose are good"
	case l == address.Medium && s.open():
		return "level medium has keys made of the devices' secrets, and the open profile has no devices"
	}
	return ""
}

// Package server runs a broker as a process does: from settings to listeners, from signals to a clean end.
package server

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/address"
	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/logging"
	"sampan/cmd/internal/value"
	"sampan/session/wal/vfs"
)

// Settings are the flags of `sampan serve` and, under the same names, the keys of its configuration file.
type Settings struct {
	Data       string
	Profile    value.Word
	Durability value.Word

	Listen    address.Listeners
	Cert      string
	Key       string
	ClientCA  string
	CRL       []string
	TLSPolicy value.Word

	RequireClientCert bool
	AllowPlain        bool
	ProxyFrom         address.Networks

	API     address.HTTP
	Metrics address.HTTP
	Health  address.HTTP
	Oracle  string

	CPUProfile string

	Logging logging.Settings
	Bounds  Bounds
	Policy  Policy
	Limits  Quantities

	flags *pflag.FlagSet
	disk  vfs.FS // where sessions are; nil, but in tests: in Data
}

// ConfigFlag names the configuration file; it is the one flag that the file itself cannot set.
const ConfigFlag = "config"

// Register adds the settings to a command, with their defaults.
func (s *Settings) Register(command *cobra.Command) {
	s.flags = command.Flags()
	s.Profile = value.OneOf("platform", "open")
	s.Durability = value.OneOf("disk", "os", "memory")
	s.TLSPolicy = value.OneOf("modern", "platform", "legacy")
	s.Listen = address.Listeners{URLs: []address.URL{{Scheme: address.MQTT, Host: "127.0.0.1", Port: 1883}}}
	s.API = address.ServeAt("127.0.0.1:8080")

	cli.Section(command, "What it is", func(f *pflag.FlagSet) {
		f.StringVar(&s.Data, "data", "./sampan-data", "`DIR` that holds devices, sessions and messages; made if it is not there")
		f.Var(&s.Profile, "profile", "platform: signed devices, their topics and the platform's limits; open: anybody, any topic, no devices, rates or API")
		f.Var(&s.Durability, "durability", "what an acknowledgement survives; disk: a power cut, os: kill -9, memory: nothing")
	})
	cli.Section(command, "Where it listens", func(f *pflag.FlagSet) {
		f.Var(&s.Listen, "listen", "`URL` to listen on, once for each: mqtt://, mqtts://, ws://, wss://, psk://, unix://, auto:// (told apart by the first bytes) or chip:// (a terminator of chips); port 0 is any free one")
		f.StringVar(&s.Cert, "cert", "", "`FILE` with the server's certificate and its chain, PEM")
		f.StringVar(&s.Key, "key", "", "`FILE` with the certificate's private key, PEM")
		f.StringVar(&s.ClientCA, "client-ca", "", "`FILE` with the authorities of client certificates, PEM")
		f.BoolVar(&s.RequireClientCert, "require-client-cert", false, "refuse TLS clients without a certificate")
		f.StringArrayVar(&s.CRL, "crl", nil, "`FILE` with a revocation list for client certificates, once for each")
		f.Var(&s.TLSPolicy, "tls-policy", "modern: TLS 1.2 and 1.3; platform: 1.0 to 1.2, as the platform documents; legacy: older still")
		f.BoolVar(&s.AllowPlain, "allow-plain", false, "let mqtt://, ws:// and auto:// listen beyond this machine, where anybody on the way can read along")
		f.Var(&s.ProxyFrom, "proxy-from", "`NETWORK` of proxies, once for each: their connections begin with a PROXY protocol header, version 1 or 2, and count as the client's")
		f.Var(&s.API, "api", "`ADDR` of the server-side HTTP API, or off; the open profile has none")
		f.Var(&s.Metrics, "metrics", "`ADDR` of the Prometheus metrics at /metrics, or off")
		f.Var(&s.Health, "health", "`ADDR` where the broker says at /health whether it is well, or off; 'sampan health' asks there")
	})
	cli.Section(command, "What it tells", func(f *pflag.FlagSet) {
		s.Logging.Register(f)
		f.StringVar(&s.Oracle, "oracle", "", "`FILE` that gets a JSON line for each protocol violation by a client; - is standard output")
		f.StringVar(&s.CPUProfile, "cpu-profile", "", "`FILE` that gets, at the end, a profile of the processor time of the whole run, for 'go tool pprof'")
	})
	cli.Section(command, "How it behaves", s.Policy.register)
	cli.Section(command, "Bounds of the broker (a number, or unlimited)", s.Bounds.register)
	cli.Section(command, "Quantities of the platform (a number, or unlimited); the open profile has those with a value of its own, and refuses the others", s.Limits.register)
}

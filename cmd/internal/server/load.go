package server

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/address"
	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/config"
)

// Load makes settings of what the command line set, then the environment, then a configuration file if path
// names one. All that is wrong with the file is in the error, a line each.
func Load(commandLine *pflag.FlagSet, path string) (*Settings, error) {
	s, _, problems, err := Read(commandLine, path)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = fmt.Errorf("%s:%d: %w", path, p.Line, p)
	}
	return s, errors.Join(errs...)
}

// Read is Load for those who want to show the file's settings and problems themselves; the error is only
// about reading it.
func Read(commandLine *pflag.FlagSet, path string) (*Settings, []config.Setting, []*config.Problem, error) {
	s := new(Settings)
	command := new(cobra.Command)
	s.Register(command)
	flags := command.Flags()
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if given := commandLine.Lookup(f.Name); given != nil && given.Changed && err == nil {
			err = assign(f, given)
		}
	})
	if err == nil {
		err = cli.FromEnvironment(flags)
	}
	if err != nil || path == "" {
		return s, nil, nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the configuration file: %w", err)
	}
	defer file.Close()
	flags.String(ConfigFlag, "", "")
	set, problems := config.Load(flags, file, ConfigFlag)
	return s, set, problems, nil
}

// assign gives a flag the value of another of its kind.
func assign(to, from *pflag.Flag) error {
	to.Changed = true
	if list, isList := from.Value.(pflag.SliceValue); isList {
		return to.Value.(pflag.SliceValue).Replace(list.GetSlice())
	}
	return to.Value.Set(from.Value.String())
}

// live are the settings that Reload takes over; every other one needs a new start.
var live = []string{"log-format", "log-level"}

// changes names the settings that differ and that Reload cannot take over.
func (s *Settings) changes(next *Settings) []string {
	var names []string
	s.flags.VisitAll(func(f *pflag.Flag) {
		if f.Value.String() != next.flags.Lookup(f.Name).Value.String() && !slices.Contains(live, f.Name) {
			names = append(names, f.Name)
		}
	})
	return names
}

// Check finds what is wrong with settings that are each right by themselves.
func (s *Settings) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if (s.Cert == "") != (s.Key == "") {
		bad("cert and key belong together: one of them is missing")
	}
	for i, u := range s.Listen.URLs {
		if slices.ContainsFunc(s.Listen.URLs[:i], func(before address.URL) bool { return before.Port != 0 && before.HostPort() == u.HostPort() }) {
			bad("listen: %s is named twice", u.HostPort())
		}
	}
	for _, u := range s.Listen.URLs {
		if u.Plain() && !u.Loopback() && !s.AllowPlain {
			encrypted := "use mqtts://, wss:// or psk://"
			if u.Scheme == address.Auto {
				encrypted = "write " + (address.URL{Scheme: u.Scheme, Host: u.Host, Port: u.Port}).String() + "?accept=tls,medium,high"
			}
			bad("listen: %s can be reached from other machines and is not encrypted; %s, or set allow-plain", u, encrypted)
		}
	}
	for _, u := range s.Listen.URLs {
		switch u.Scheme {
		case address.MQTTS, address.WSS:
			if s.Cert == "" && s.Key == "" {
				bad("listen: %s needs a certificate: set cert and key", u)
			}
		case address.PSK:
			if s.open() {
				bad("listen: %s has keys made of the devices' secrets, and the open profile has no devices", u)
			}
		}
	}
	if s.Cert == "" && (s.ClientCA != "" || len(s.CRL) > 0 || s.RequireClientCert) {
		bad("client-ca, crl and require-client-cert are about TLS, which needs cert and key")
	}
	if s.ClientCA == "" && (len(s.CRL) > 0 || s.RequireClientCert) {
		bad("crl and require-client-cert need client-ca: without it clients are not asked for a certificate")
	}
	if len(s.Listen.URLs) == 0 {
		bad("listen: without a listener nobody can connect")
	}
	return errors.Join(errs...)
}

// CheckFiles reads the certificates that are named, as a start would.
func (s *Settings) CheckFiles() error {
	if s.Cert == "" || s.Key == "" {
		return nil
	}
	_, err := s.certificates()
	return err
}

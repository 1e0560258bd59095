package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/bench"
	"sampan/bench/load"
	"sampan/bench/scenario"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/device/triples"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
	"sampan/cmd/internal/dial"
	"sampan/cmd/internal/value"
	"sampan/packet"
	"sampan/tlsconf/psk"
)

// benchClients is the flags that say who the clients of a measurement are and how they come.
type benchClients struct {
	channel, protocol  value.Word
	path               string // of the WebSocket request
	ca                 string
	sources            []string
	file               string
	username, password string
	patience           value.Duration

	api, keyID, keySecret string

	devices []credential.Device // client i is device i; none: clients are nobody in particular
}

func (c *benchClients) register(command *cobra.Command) {
	c.channel = value.OneOf("mqtt", "mqtts", "ws", "wss", "psk")
	c.protocol = value.OneOf("3.1.1", "3.1")
	c.patience, c.path = value.Duration(10*time.Second), "/"
	cli.Section(command, "The clients", func(f *pflag.FlagSet) {
		f.Var(&c.channel, "channel", "how they connect: plain, TLS, WebSocket, WebSocket over TLS, TLS with pre-shared keys")
		f.StringVar(&c.ca, "ca", "", "`FILE` with the authorities that the broker's certificate is checked against, PEM; the system's otherwise")
		f.Var(&c.protocol, "protocol", "version of MQTT")
		f.StringSliceVar(&c.sources, "source", nil, "`ADDRESSES` of this machine to connect from, by commas, in turn: each has some 28,000 ports")
		f.StringVar(&c.file, "devices", "", "CSV `FILE` of the platform's devices, as 'sampan device import' takes it: clients sign as them")
		f.StringVar(&c.username, "username", "", "user name of every client, without --devices")
		f.StringVar(&c.password, "password", "", "password of every client, without --devices")
		f.Var(&c.patience, "connect-timeout", "how long a client may take to connect and subscribe")
		f.StringVar(&c.api, "api", "", "`HOST:PORT` of the server-side HTTP API by which rrpc calls devices; otherwise an MQTT client does")
		f.StringVar(&c.keyID, "access-key-id", "", "id of the access key that signs the calls; $SAMPAN_ACCESS_KEY_ID sets it too")
		f.StringVar(&c.keySecret, "access-key-secret", "", "its secret; $SAMPAN_ACCESS_KEY_SECRET sets it too")
	})
}

// at takes the channel out of a URL and returns the address for the generator; an address that is no URL stays
// what it is.
func (c *benchClients) at(command *cobra.Command, addr string) (string, error) {
	if !strings.Contains(addr, "://") {
		return addr, nil
	}
	u, err := address.ParseTarget(addr)
	if err != nil {
		return "", cli.Usagef(command, "%v", err)
	}
	if u.Scheme == address.Unix {
		return "unix:" + u.Path, nil
	}
	if given := c.channel.String(); command.Flags().Changed("channel") && given != string(u.Scheme) {
		return "", cli.Usagef(command, "%s is not of the --channel %s", addr, given)
	}
	if u.Scheme.WebSocket() {
		c.path = u.Path
	}
	return u.HostPort(), c.channel.Set(string(u.Scheme))
}

// use puts into a configuration what the flags say.
func (c *benchClients) use(command *cobra.Command, config *bench.Config) error {
	if err := cli.FromEnvironment(command.Flags(), "access-key-id", "access-key-secret"); err != nil {
		return err
	}
	if c.file != "" {
		if c.username != "" || c.password != "" {
			return cli.Usagef(command, "--devices makes user names and passwords; it does not go with --username and --password")
		}
		if err := c.read(); err != nil {
			return err
		}
	}
	o := &config.Load
	o.ConnectTime = time.Duration(c.patience)
	if c.protocol.String() == "3.1" {
		o.Level = packet.Level31
	}
	for _, text := range c.sources {
		source, err := netip.ParseAddr(text)
		if err != nil {
			return cli.Usagef(command, "--source %s: not an IP address", text)
		}
		o.Sources = append(o.Sources, source)
	}
	if n, most := clientsOf(&config.Scenario), len(c.devices); most > 0 && n > most {
		return cli.Usagef(command, "scenario %s has %d clients, and there are %d devices", config.Scenario.Name, n, most)
	}
	c.identify(o)
	if err := c.open(command, o); err != nil {
		return err
	}
	if c.api == "" || config.Scenario.Kind != scenario.RRPC {
		return nil
	}
	if strings.HasPrefix(c.api, "https:") {
		return cli.Usagef(command, "--api %s: the calls of a measurement are made over plain HTTP", c.api)
	}
	caller, err := control.APIThrough(new(callTransport), c.api, c.keyID, c.keySecret)
	if err != nil {
		return err
	}
	config.Call = func(ctx context.Context, device load.Credentials, payload []byte) ([]byte, error) {
		answer, err := control.RRPC(ctx, caller, control.Call{
			ProductKey: device.ProductKey, DeviceName: device.DeviceName, Payload: payload, Timeout: callTimeout,
		})
		if err == nil && answer.Detail != "" {
			err = fmt.Errorf("%s: %s", answer.Code, answer.Detail)
		}
		return answer.Payload, err
	}
	return nil
}

// callTimeout is how long a device has to answer: as long as the platform allows.
const callTimeout = 8 * time.Second

// read reads the file of devices.
func (c *benchClients) read() error {
	file, err := os.Open(c.file)
	if err != nil {
		return err
	}
	defer file.Close()
	registry := device.New(device.Options{})
	defer registry.Close()
	report, err := triples.Import(registry, file, triples.Options{})
	if err == nil && report.Failed > 0 {
		err = report.Problems[0]
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	for p := range registry.Products() {
		for d := range registry.Devices(p.Key, 0) {
			c.devices = append(c.devices, credential.Device{ProductKey: p.Key, DeviceName: string(d.Name()), DeviceSecret: string(d.Secret())})
		}
	}
	return nil
}

// clientsOf is how many clients a scenario has at most.
func clientsOf(s *scenario.Scenario) int {
	n := s.Clients + s.Publishers + s.Subscribers + s.IdleClients + s.Earlier + max(s.UnrelatedClients, (s.Unrelated+999)/1000)
	switch s.Kind {
	case scenario.Pairs, scenario.Takeover, scenario.Offline, scenario.Soak:
		if !s.Self {
			n += s.Subscribers
		}
	}
	return n
}

// identify signs for every device once, or gives every client the same user name and password.
func (c *benchClients) identify(o *load.Options) {
	if len(c.devices) == 0 {
		if c.username != "" {
			run := strconv.FormatInt(time.Now().UnixNano()%1e9, 36)
			o.Identity = func(client int) load.Credentials {
				return load.Credentials{ClientID: fmt.Sprintf("bench-%s-%d", run, client), Username: c.username, Password: c.password}
			}
		}
		return
	}
	mode := credential.ModeTCP
	if address.Scheme(c.channel.String()).Encrypted() {
		mode = credential.ModeTLS
	}
	all := make([]load.Credentials, len(c.devices))
	for i, d := range c.devices {
		fields := d.Login(credential.Options{Method: credential.HMACSHA256, SecureMode: mode})
		all[i] = load.Credentials{
			ClientID: fields.ClientID, Username: fields.Username, Password: fields.Password,
			ProductKey: d.ProductKey, DeviceName: d.DeviceName,
		}
	}
	o.Identity = func(client int) load.Credentials { return all[client] }
}

// open makes connections go through the channel.
func (c *benchClients) open(command *cobra.Command, o *load.Options) error {
	var config *tls.Config
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return fmt.Errorf("--ca: %w", err)
		}
		config = &tls.Config{RootCAs: x509.NewCertPool()}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("--ca: no certificate in %s", c.ca)
		}
	}
	scheme := address.Scheme(c.channel.String())
	if len(o.Sources) > 0 && scheme != address.MQTT && scheme != address.MQTTS {
		return cli.Usagef(command, "--source is for the channels mqtt and mqtts")
	}
	switch scheme {
	case address.MQTT:
		return nil
	case address.MQTTS:
		if config == nil {
			config = &tls.Config{}
		}
		o.TLS = config
		return nil
	case address.PSK:
		if len(c.devices) == 0 {
			return cli.Usagef(command, "--channel psk needs --devices: a key is made of a device's secret")
		}
	}
	o.Dial = func(ctx context.Context, addr string, client int) (net.Conn, error) {
		u := address.URL{Scheme: scheme, Path: c.path}
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, err
		}
		u.Host, u.Port = host, uint16(number)
		options := dial.Options{TLS: config, Level: o.Level}
		if scheme == address.PSK {
			options.PSK = pskOf(c.devices[client])
		}
		return dial.Dial(ctx, u, options)
	}
	return nil
}

// pskOf is the key of a device's own channel.
func pskOf(d credential.Device) *psk.Config {
	identity := credential.PSKIdentity{
		Method: credential.HMACSHA256, ProductKey: []byte(d.ProductKey), DeviceName: []byte(d.DeviceName), Timestamp: []byte(pskTimestamp),
	}
	return &psk.Config{Identity: identity.AppendTo(nil), PSK: identity.AppendKey(nil, []byte(d.DeviceSecret))}
}

package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/broker/credential"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/client"
	"sampan/cmd/internal/dial"
	"sampan/cmd/internal/value"
	"sampan/packet"
	"sampan/tlsconf/psk"
)

// connection is how pub and sub reach a broker: the flags that both have.
type connection struct {
	command *cobra.Command

	url      address.Target
	protocol value.Word
	clean    bool
	alive    value.Duration
	patience value.Duration

	clientID string
	username string
	password string

	device     string
	secret     string
	registry   registry
	signMethod value.Word
	timestamp  string

	ca, cert, key string
}

func (c *connection) register(command *cobra.Command) {
	c.command, c.registry.command = command, command
	c.url = address.Target{URL: address.URL{Scheme: address.MQTT, Host: "127.0.0.1", Port: 1883}}
	c.protocol = value.OneOf("3.1.1", "3.1")
	c.signMethod = value.OneOf("hmacsha256", "hmacsha1", "hmacmd5")
	c.alive = value.Duration(time.Minute)
	c.patience = value.Duration(10 * time.Second)
	cli.Section(command, "The connection", func(f *pflag.FlagSet) {
		f.Var(&c.url, "url", "`URL` of the broker: mqtt://, mqtts://, ws://, wss://, psk:// or unix://; $SAMPAN_URL sets it too")
		f.Var(&c.protocol, "protocol", "version of MQTT")
		f.BoolVar(&c.clean, "clean", true, "begin with a clean session; --clean=false keeps subscriptions and QoS 1 messages while away")
		f.Var(&c.alive, "keep-alive", "keep-alive; the platform takes 30s to 20m")
		f.Var(&c.patience, "connect-timeout", "how long to wait for the broker")
		f.StringVar(&c.ca, "ca", "", "`FILE` with the authorities that the broker's certificate is checked against, PEM; the system's otherwise")
		f.StringVar(&c.cert, "cert", "", "`FILE` with a client certificate, PEM")
		f.StringVar(&c.key, "key", "", "`FILE` with the client certificate's key, PEM")
	})
	cli.Section(command, "Who connects", func(f *pflag.FlagSet) {
		f.StringVar(&c.device, "device", "", "`PK/DN`, the device that signs its CONNECT")
		f.StringVar(&c.secret, "secret", "", "the device's secret; looked up in --data otherwise")
		f.StringVar(&c.registry.data, "data", "./sampan-data", "`DIR` of the broker's data, for the secret of --device")
		f.Var(&c.signMethod, "signmethod", "how the device signs")
		f.StringVar(&c.timestamp, "timestamp", "", "`MS` that the device signs, in milliseconds since 1970; none otherwise")
		f.StringVar(&c.clientID, "client-id", "", "client identifier; with --device only the part that the device chooses")
		f.StringVar(&c.username, "username", "", "user name, without --device")
		f.StringVar(&c.password, "password", "", "password, without --device")
	})
}

// options are the client's options but for the open connection, and the key of a psk:// channel.
func (c *connection) options(ctx context.Context) (o client.Options, key *psk.Config, err error) {
	o = client.Options{
		ClientID: c.clientID, Username: c.username, Level: packet.Level311, Clean: c.clean,
		KeepAlive: time.Duration(c.alive).Truncate(time.Second),
	}
	if c.protocol.String() == "3.1" {
		o.Level = packet.Level31
	}
	if o.KeepAlive > 65535*time.Second {
		return o, nil, cli.Usagef(c.command, "--keep-alive %s is longer than MQTT can say", c.alive)
	}
	if c.command.Flags().Changed("password") {
		if c.username == "" {
			return o, nil, cli.Usagef(c.command, "--password needs --username")
		}
		o.Password = []byte(c.password)
	}
	if c.device == "" {
		if c.url.Scheme == address.PSK {
			return o, nil, cli.Usagef(c.command, "psk:// needs --device: its key is made of the device's secret")
		}
		if c.secret != "" {
			return o, nil, cli.Usagef(c.command, "--secret needs --device")
		}
		if c.clientID == "" && !c.clean {
			return o, nil, cli.Usagef(c.command, "--clean=false needs --client-id or --device: a session belongs to a name")
		}
		if c.clientID == "" {
			o.ClientID = "sampan-" + strings.ToLower(rand.Text()[:10])
		}
		return o, nil, nil
	}
	if c.username != "" {
		return o, nil, cli.Usagef(c.command, "--device makes the user name; it does not go with --username")
	}
	device, err := c.identity(ctx)
	if err != nil {
		return o, nil, err
	}
	method, known := credential.ParseMethod(c.signMethod.String())
	if !known {
		return o, nil, fmt.Errorf("unknown sign method %s", c.signMethod)
	}
	mode := credential.ModeTCP
	if c.url.Scheme.Encrypted() {
		mode = credential.ModeTLS
	}
	fields := device.Login(credential.Options{ClientID: c.clientID, Method: method, SecureMode: mode, Timestamp: c.timestamp})
	o.ClientID, o.Username, o.Password = fields.ClientID, fields.Username, []byte(fields.Password)
	return o, pskOf(device), nil
}

// pskTimestamp is what the platform's C SDKs sign, all of them: the first of January 2050.
const pskTimestamp = "2524608000000"

// identity is the device that --device names, with its secret.
func (c *connection) identity(ctx context.Context) (credential.Device, error) {
	name, ok := splitDevice(c.device)
	if !ok {
		return credential.Device{}, cli.Usagef(c.command, "--device %s: write PK/DN, the product key and the device name", c.device)
	}
	d := credential.Device{ProductKey: name.ProductKey, DeviceName: name.DeviceName, DeviceSecret: c.secret}
	if d.DeviceSecret != "" {
		return d, nil
	}
	return d, c.registry.secret(ctx, &d)
}

// tls is the configuration of an encrypted channel.
func (c *connection) tls() (*tls.Config, error) {
	config := &tls.Config{}
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca: no certificate in %s", c.ca)
		}
	}
	if (c.cert == "") != (c.key == "") {
		return nil, cli.Usagef(c.command, "--cert and --key belong together")
	}
	if c.cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("--cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// connect opens the channel and connects through it.
func (c *connection) connect(ctx context.Context, onMessage func(client.Message) bool) (*client.Client, error) {
	if err := cli.FromEnvironment(c.command.Flags(), "url"); err != nil {
		return nil, err
	}
	o, key, err := c.options(ctx)
	if err != nil {
		return nil, err
	}
	config, err := c.tls()
	if err != nil {
		return nil, err
	}
	late := fmt.Errorf("no connection to %s within %s", c.url, c.patience)
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(c.patience), late)
	defer cancel()
	if o.Conn, err = dial.Dial(ctx, c.url.URL, dial.Options{TLS: config, PSK: key, Level: o.Level}); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = late
		}
		return nil, err
	}
	o.OnMessage = onMessage
	return client.Connect(ctx, o)
}

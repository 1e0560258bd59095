package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/bench"
	"sampan/bench/scenario"
	"sampan/broker/credential"
	"sampan/broker/quota"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
	"sampan/cmd/internal/value"
)

// ownBroker is the Sampan that is measured when no other broker is named: this binary, on a data directory of
// its own.
type ownBroker struct {
	profile, durability value.Word
	dir                 string
}

func (o *ownBroker) register(command *cobra.Command) {
	o.profile = value.OneOf("scenario", "open", "platform")
	o.durability = value.OneOf("memory", "os", "disk")
	cli.Section(command, "This Sampan", func(f *pflag.FlagSet) {
		f.Var(&o.profile, "profile", "its profile; scenario: platform for rrpc and broadcast, open for the others. In the platform profile there are devices that sign, and rates are unlimited")
		f.Var(&o.durability, "durability", "what its acknowledgements survive")
	})
}

// platform reports whether the broker has signed devices.
func (o *ownBroker) platform(s *scenario.Scenario) bool {
	if o.profile.String() == "scenario" {
		return s.Kind == scenario.RRPC || s.Kind == scenario.Broadcast
	}
	return o.profile.String() == "platform"
}

// prepare makes the data directory and the command.
func (o *ownBroker) prepare(command *cobra.Command, config *bench.Config, clients *benchClients) error {
	scheme := address.Scheme(clients.channel.String())
	if scheme == address.MQTTS || scheme == address.WSS {
		return cli.Usagef(command, "--channel %s needs a certificate: use --addr or --command", scheme)
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp("", "sampan-bench-*"); err != nil {
		return err
	}
	data := filepath.Join(o.dir, "data")
	words := []string{binary, "serve", "--durability", o.durability.String(), "--data", data, "--log-level", "error",
		"--listen", string(scheme) + "://{addr}"}
	if !o.platform(&config.Scenario) {
		config.Target.Command = append(words, "--profile", "open", "--api", "off")
		return nil
	}
	if clients.file != "" {
		return cli.Usagef(command, "--devices is for a broker that knows them: use --addr or --command")
	}
	api, err := freeAddress()
	if err != nil {
		return err
	}
	key, err := o.populate(command.Context(), data, clients, clientsOf(&config.Scenario))
	if err != nil {
		return err
	}
	clients.api, clients.keyID, clients.keySecret = api, key.ID, key.Secret
	words = append(words, "--profile", "platform", "--api", api)
	for _, item := range quota.Items() {
		words = append(words, "--rate-"+item.String(), "unlimited")
	}
	config.Target.Command = words
	return nil
}

// batch is how many devices are made at once.
const batch = 10_000

// populate makes devices for all clients, and an access key to call them.
func (o *ownBroker) populate(ctx context.Context, data string, clients *benchClients, n int) (key control.AccessKey, err error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return key, err
	}
	registry, err := control.OpenNew(ctx, data)
	if err != nil {
		return key, err
	}
	defer func() { err = errors.Join(err, registry.Close()) }()
	product, err := control.CreateProduct(ctx, registry, control.NewProduct{Name: "bench"})
	if err != nil {
		return key, err
	}
	for n > 0 {
		names := make([]string, min(n, batch))
		for i := range names {
			names[i] = fmt.Sprintf("device%d", len(clients.devices)+i)
		}
		made, err := control.CreateDevices(ctx, registry, control.NewDevices{ProductKey: product.ProductKey, Names: names})
		if err != nil {
			return key, err
		}
		for _, d := range made {
			clients.devices = append(clients.devices, credential.Device{ProductKey: d.ProductKey, DeviceName: d.DeviceName, DeviceSecret: d.DeviceSecret})
		}
		n -= len(made)
	}
	return control.CreateAccessKey(ctx, registry, control.NewAccessKey{Note: "bench"})
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// remove deletes the data directory, if there is one.
func (o *ownBroker) remove() {
	if o.dir != "" {
		os.RemoveAll(o.dir)
	}
}

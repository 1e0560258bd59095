// Package demo tells what Sampan does by doing it: a broker and its devices in one process, over real TCP,
// as a transcript that a person can read. Everything that it says has happened, and has been checked, when
// the line is printed.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sampan/broker"
	"sampan/broker/device"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/logging"
	"sampan/cmd/internal/server"
)

// patience is how long the story waits for anything that should happen at once.
const patience = 5 * time.Second

// story is the state that its scenes share.
type story struct {
	teller
	log *log // what the broker logs, quoted where it explains something

	srv     *server.Server
	url     address.URL
	product string
	boiler  device.Device
	cellar  device.Device
}

// Run tells the story. It returns nil only if everything happened as told.
func Run(ctx context.Context, out io.Writer) (err error) {
	data, err := os.MkdirTemp("", "sampan-demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	began := time.Now()
	s := &story{teller: teller{out: out}, log: newLog()}
	s.title("Sampan in a few scenes: one broker, two devices, real TCP on this machine.")
	if err := s.start(data); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err = errors.Join(err, s.srv.Shutdown(ctx))
	}()
	for _, scene := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"A product and its devices", s.register},
		{"Devices sign their CONNECT", s.signIn},
		{"A message each way", s.messages},
		{"Away, and back", s.offline},
		{"The server calls a device (RRPC)", s.call},
		{"Foreign topics", s.foreign},
		{"What the broker has counted", s.count},
	} {
		s.scene(scene.title)
		if err := scene.play(ctx); err != nil {
			return fmt.Errorf("in the scene %q: %w", scene.title, err)
		}
		if s.err != nil {
			return s.err
		}
	}
	s.title(fmt.Sprintf("All of it happened, in %v.", time.Since(began).Round(time.Millisecond)))
	return s.err
}

// start runs the broker as `sampan serve` does, with its data in a folder of its own and a free port.
func (s *story) start(data string) error {
	var settings server.Settings
	command := new(cobra.Command)
	settings.Register(command)
	if err := command.Flags().Parse([]string{
		"--data", data, "--durability", "memory", "--listen", "mqtt://127.0.0.1:0", "--api", "off", "--log-level", "info",
	}); err != nil {
		return err
	}
	var err error
	if s.srv, err = server.Start(&settings, logging.New(s.log, settings.Logging)); err != nil {
		return err
	}
	s.url = s.srv.Listeners()[0]
	s.line("broker", "listens on %s, profile platform", s.url)
	return nil
}

func (s *story) register(context.Context) error {
	product, err := s.srv.Registry.CreateProduct(device.ProductSpec{Name: "thermometers"})
	if err != nil {
		return err
	}
	s.product = product.Key
	s.line("product", "%s %q", product.Key, product.Name)
	for name, d := range map[string]*device.Device{"boiler": &s.boiler, "cellar": &s.cellar} {
		if *d, err = s.srv.Registry.CreateDevice(product.Key, device.DeviceSpec{Name: name}); err != nil {
			return err
		}
	}
	s.line("boiler", "has the secret %s", s.boiler.Secret())
	s.line("cellar", "has the secret %s", s.cellar.Secret())
	return nil
}

func (s *story) count(context.Context) error {
	stats := s.srv.Broker.Stats()
	s.line("broker", "%d connections, %d refused; %d messages in, %d out, %d dropped as forbidden",
		stats.Accepted, stats.Ended[broker.ConnectRefused.String()], stats.Received[0]+stats.Received[1],
		stats.Sent[0]+stats.Sent[1], stats.Dropped[broker.DropForbidden.String()])
	switch {
	case stats.Ended[broker.ConnectRefused.String()] != 1:
		return fmt.Errorf("%d connections were refused, not 1", stats.Ended[broker.ConnectRefused.String()])
	case stats.Dropped[broker.DropForbidden.String()] != 1:
		return fmt.Errorf("%d messages were dropped as forbidden, not 1", stats.Dropped[broker.DropForbidden.String()])
	case stats.SubscribeRefused != 1:
		return fmt.Errorf("%d subscriptions were refused, not 1", stats.SubscribeRefused)
	}
	return nil
}

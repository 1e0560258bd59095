package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
)

func deviceCommand() *cobra.Command {
	return group("device", "create, import, list and change devices", `Devices: each belongs to a product (PK), has a name in it (DN), and a secret with which it
signs its CONNECT. A disabled or deleted device is cut off at once.`,
		deviceCreateCommand(), deviceListCommand(), deviceShowCommand(),
		deviceChangeCommand("enable", "let a device log in again", control.EnableDevice),
		deviceChangeCommand("disable", "cut a device off and keep it from logging in", control.DisableDevice),
		deviceDeleteCommand(), deviceImportCommand(), deviceCredentialsCommand(), deviceCertificateCommand())
}

func deviceCreateCommand() *cobra.Command {
	var r registry
	var n control.NewDevices
	command := &cobra.Command{
		Use:   "create PK [DN...]",
		Short: "make devices",
		Long: `Make devices with the given names, all of them or none. Secrets are generated, and names
too if only a number of devices is given.`,
		Example: `sampan device create a1B2c3D4e5 dev1 dev2
sampan device create a1B2c3D4e5 dev3 --secret ds-secret-3 --nickname 'boiler room'
sampan device create a1B2c3D4e5 --count 100 --json`,
		Args: func(command *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return cli.Usagef(command, "%s needs PK: it is missing", command.CommandPath())
			case n.Count < 0:
				return cli.Usagef(command, "--count %d: cannot be negative", n.Count)
			case len(args) == 1 && n.Count == 0:
				return cli.Usagef(command, "give the names of the devices, or --count")
			case len(args) > 1 && n.Count != 0:
				return cli.Usagef(command, "give the names of the devices, or --count, not both")
			case max(len(args)-1, n.Count) > 1 && (n.Secret != "" || n.Nickname != ""):
				return cli.Usagef(command, "--secret and --nickname are for one device: make each with a command of its own, or import them with their secrets")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			n.ProductKey, n.Names = args[0], args[1:]
			return r.use(command.Context(), func(c control.Caller) error {
				list, err := control.CreateDevices(command.Context(), c, n)
				if err != nil {
					return err
				}
				return r.output.Print(command, list, func(w io.Writer) {
					rows := make([][]string, len(list))
					for i, d := range list {
						rows[i] = []string{d.ProductKey, d.DeviceName, d.DeviceSecret}
					}
					cli.Table(w, []string{"PRODUCT KEY", "DEVICE NAME", "DEVICE SECRET"}, rows)
				})
			})
		},
	}
	cli.Section(command, "The devices", func(f *pflag.FlagSet) {
		f.IntVar(&n.Count, "count", 0, "how many to make, with generated names")
		f.StringVar(&n.Secret, "secret", "", "secret of the one device; generated otherwise")
		f.StringVar(&n.Nickname, "nickname", "", "name of the one device for people")
	})
	r.register(command)
	return command
}

func deviceListCommand() *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: "list PK", Short: "list the devices of a product", Example: "sampan device list a1B2c3D4e5", Args: cli.Args("PK"),
		RunE: func(command *cobra.Command, args []string) error {
			return r.use(command.Context(), func(c control.Caller) error {
				list := []control.Device{}
				err := control.ListDevices(command.Context(), c, args[0], func(d control.Device) error {
					list = append(list, d)
					return nil
				})
				if err != nil {
					return err
				}
				return r.output.Print(command, list, func(w io.Writer) {
					rows := make([][]string, len(list))
					for i, d := range list {
						rows[i] = []string{d.DeviceName, d.Status, online(d), queued(d), date(d.Created), d.Nickname}
					}
					cli.Table(w, []string{"DEVICE NAME", "STATUS", "CONNECTED FROM", "QUEUED", "CREATED", "NICKNAME"}, rows)
				})
			})
		},
	}
	r.register(command)
	return command
}

func online(d control.Device) string {
	if d.Connection == nil {
		return ""
	}
	return d.Connection.Address
}

func queued(d control.Device) string {
	if d.Session == nil {
		return ""
	}
	return fmt.Sprint(d.Session.Queued)
}

func deviceShowCommand() *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: "show PK DN", Short: "show a device with its secret and its connection", Example: "sampan device show a1B2c3D4e5 dev1", Args: cli.Args("PK", "DN"),
		RunE: func(command *cobra.Command, args []string) error {
			return r.use(command.Context(), func(c control.Caller) error {
				d, err := control.ShowDevice(command.Context(), c, control.DeviceName{ProductKey: args[0], DeviceName: args[1]})
				if err != nil {
					return err
				}
				return r.output.Print(command, d, func(w io.Writer) { printDevice(w, d) })
			})
		},
	}
	r.register(command)
	return command
}

func printDevice(w io.Writer, d control.Device) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-13s %s\n", name, cli.Printable(value))
		}
	}
	line("productKey", d.ProductKey)
	line("deviceName", d.DeviceName)
	line("deviceSecret", d.DeviceSecret)
	line("iotId", d.IotID)
	line("nickname", d.Nickname)
	line("status", d.Status)
	line("certificate", d.Certificate)
	for _, key := range slices.Sorted(maps.Keys(d.Tags)) {
		line("tag", key+"="+d.Tags[key])
	}
	line("created", date(d.Created))
	if d.Activated != nil {
		line("activated", date(*d.Activated))
	}
	if c := d.Connection; c != nil {
		ago := time.Duration(c.LastPacketMS) * time.Millisecond
		line("connection", fmt.Sprintf("from %s, MQTT %s, keep-alive %s, last packet %s ago", c.Address, c.Protocol, c.KeepAlive, ago))
		line("clientId", c.ClientID)
	}
	if s := d.Session; s != nil {
		kind := "clean"
		if s.Persistent {
			kind = "persistent"
		}
		line("session", fmt.Sprintf("%s, %d subscriptions, %d messages (%d bytes) wait, %d of them sent", kind, s.Subscriptions, s.Queued, s.QueuedBytes, s.InFlight))
	}
}

func deviceChangeCommand(name, short string, do func(context.Context, control.Caller, control.DeviceName) (control.Device, error)) *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: name + " PK DN", Short: short, Example: "sampan device " + name + " a1B2c3D4e5 dev1", Args: cli.Args("PK", "DN"),
		RunE: func(command *cobra.Command, args []string) error {
			return r.use(command.Context(), func(c control.Caller) error {
				d, err := do(command.Context(), c, control.DeviceName{ProductKey: args[0], DeviceName: args[1]})
				if err != nil {
					return err
				}
				return r.output.Print(command, d, func(w io.Writer) { printDevice(w, d) })
			})
		},
	}
	r.register(command)
	return command
}

func deviceDeleteCommand() *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: "delete PK DN", Short: "delete a device and cut it off", Example: "sampan device delete a1B2c3D4e5 dev1", Args: cli.Args("PK", "DN"),
		RunE: func(command *cobra.Command, args []string) error {
			n := control.DeviceName{ProductKey: args[0], DeviceName: args[1]}
			return r.use(command.Context(), func(c control.Caller) error {
				if err := control.DeleteDevice(command.Context(), c, n); err != nil {
					return err
				}
				return r.output.Print(command, n, func(w io.Writer) { fmt.Fprintf(w, "deleted %s\n", n) })
			})
		},
	}
	r.register(command)
	return command
}

// splitDevice reads PK/DN.
func splitDevice(text string) (control.DeviceName, bool) {
	pk, dn, found := strings.Cut(text, "/")
	return control.DeviceName{ProductKey: pk, DeviceName: dn}, found && pk != "" && dn != "" && !strings.Contains(dn, "/")
}

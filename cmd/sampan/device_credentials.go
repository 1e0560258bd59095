package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/broker/credential"
	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
	"sampan/cmd/internal/value"
)

// credentials are the three fields of CONNECT.
type credentials struct {
	ClientID string `json:"clientId"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// signing is how a device signs: the flags of `device credentials`.
type signing struct {
	method     value.Word
	secureMode int
	clientID   string
	timestamp  string
	extra      string
	secret     string
}

func deviceCredentialsCommand() *cobra.Command {
	var r registry
	var s signing
	s.method = value.OneOf("hmacsha256", "hmacsha1", "hmacmd5")
	command := &cobra.Command{
		Use:   "credentials PK DN",
		Short: "print the client identifier, user name and password of a device",
		Long: `Print what a device sends in CONNECT, for clients that cannot sign. Without a timestamp
the three are the same every time.`,
		Example: `sampan device credentials a1B2c3D4e5 dev1
sampan device credentials a1B2c3D4e5 dev1 --signmethod hmacsha1 --client-id 12345 --timestamp 789 --json
# without a registry
sampan device credentials a1B2c3D4e5 dev1 --secret ds-secret-1 --securemode 2`,
		Args: cli.Args("PK", "DN"),
		RunE: func(command *cobra.Command, args []string) error {
			mode := credential.SecureMode(s.secureMode)
			if int(mode) != s.secureMode || !mode.Known() {
				return cli.Usagef(command, "--securemode %d: unknown; 3 is plain TCP, 2 is TLS", s.secureMode)
			}
			method, _ := credential.ParseMethod(s.method.String())
			device := credential.Device{ProductKey: args[0], DeviceName: args[1], DeviceSecret: s.secret}
			if s.secret == "" {
				if err := r.secret(command.Context(), &device); err != nil {
					return err
				}
			}
			fields := device.Login(credential.Options{
				ClientID: s.clientID, Method: method, SecureMode: mode, Timestamp: s.timestamp, Extra: s.extra,
			})
			c := credentials(fields)
			return r.output.Print(command, c, func(w io.Writer) {
				fmt.Fprintf(w, "clientId  %s\nusername  %s\npassword  %s\n", c.ClientID, c.Username, c.Password)
			})
		},
	}
	cli.Section(command, "The signature", func(f *pflag.FlagSet) {
		f.Var(&s.method, "signmethod", "how to sign")
		f.IntVar(&s.secureMode, "securemode", int(credential.ModeTCP), "3: plain TCP, 2: TLS; the broker knows the others too")
		f.StringVar(&s.clientID, "client-id", "", "the part of the client identifier that the device chooses; PK.DN otherwise")
		f.StringVar(&s.timestamp, "timestamp", "", "`MS` to sign, in milliseconds since 1970; none otherwise")
		f.StringVar(&s.extra, "extra", "", "`PARAMETERS` to add to the client identifier, such as _ss=1,ext=1")
		f.StringVar(&s.secret, "secret", "", "the device's secret, instead of the registry's")
	})
	r.register(command)
	return command
}

// secret looks a device's secret up.
func (r *registry) secret(ctx context.Context, d *credential.Device) error {
	return r.use(ctx, func(c control.Caller) error {
		found, err := control.ShowDevice(ctx, c, control.DeviceName{ProductKey: d.ProductKey, DeviceName: d.DeviceName})
		d.DeviceSecret = found.DeviceSecret
		if err != nil {
			err = fmt.Errorf("the device's secret, looked up in %s: %w", r.where(), err)
		}
		return err
	})
}

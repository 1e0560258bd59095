package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
)

func deviceCertificateCommand() *cobra.Command {
	var r registry
	var remove bool
	command := &cobra.Command{
		Use:   "certificate PK DN [FILE]",
		Short: "bind a certificate to a device",
		Long: `Bind the first certificate of a PEM file to a device, for products made with --auth x509. The
device is then accepted with this certificate only, whatever is written in it. Without a
binding its certificate has to name it: OU is the product key, CN the device name. Either
way the certificate must lead to an authority of --client-ca.`,
		Example: `sampan device certificate a1B2c3D4e5 dev1 dev1.pem
sampan device certificate a1B2c3D4e5 dev1 --remove`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) == 3 != remove && (len(args) == 2 || len(args) == 3) {
				return nil
			}
			return cli.Usagef(command, "%s needs PK, DN, and either FILE or --remove", command.CommandPath())
		},
		RunE: func(command *cobra.Command, args []string) error {
			n := control.DeviceCertificate{DeviceName: control.DeviceName{ProductKey: args[0], DeviceName: args[1]}}
			if !remove {
				var err error
				if n.Fingerprint, err = fingerprint(args[2]); err != nil {
					return err
				}
			}
			return r.use(command.Context(), func(c control.Caller) error {
				d, err := control.BindCertificate(command.Context(), c, n)
				if err != nil {
					return err
				}
				return r.output.Print(command, d, func(w io.Writer) { printDevice(w, d) })
			})
		},
	}
	cli.Section(command, "The certificate", func(f *pflag.FlagSet) {
		f.BoolVar(&remove, "remove", false, "take away the certificate that is bound to the device")
	})
	r.registerData(command) // the API knows nothing of it
	return command
}

// fingerprint is the SHA-256 of the first certificate in a PEM file, in hexadecimal.
func fingerprint(file string) (string, error) {
	found, err := certificatesIn(file)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(found[0].Raw)
	return hex.EncodeToString(sum[:]), nil
}

// certificatesIn reads a PEM file that has at least one certificate; other things in it are passed over.
func certificatesIn(file string) (found []*x509.Certificate, err error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the certificate in %s: %w", file, err)
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return nil, errors.New("the certificate: " + file + " holds none in PEM form")
	}
	return found, nil
}

package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
)

func productAuthorityCommand() *cobra.Command {
	var r registry
	var all bool
	command := &cobra.Command{
		Use:   "authority PK [FILE...]",
		Short: "say who may issue the certificates of a product's devices",
		Long: `Name the authorities whose certificates say which device of the product somebody is, for
products made with --auth x509: those in the PEM files, by their keys, and no others from then on.
They are still to be in --client-ca, or below one that is. A certificate that is bound to its
device (see 'sampan device certificate') needs none of them. Devices that are connected are
disconnected; those that may, come back.`,
		Example: `sampan product authority a1B2c3D4e5 factory-ca.pem
sampan product authority a1B2c3D4e5 --all`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) > 0 && len(args) > 1 != all {
				return nil
			}
			return cli.Usagef(command, "%s needs PK, and either FILEs or --all", command.CommandPath())
		},
		RunE: func(command *cobra.Command, args []string) error {
			keys, err := authorityKeys(args[1:])
			if err != nil {
				return err
			}
			return r.use(command.Context(), func(c control.Caller) error {
				p, err := control.SetAuthorities(command.Context(), c, control.ProductAuthorities{ProductKey: args[0], Authorities: keys})
				if err != nil {
					return err
				}
				return r.output.Print(command, p, func(w io.Writer) { printProduct(w, p) })
			})
		},
	}
	cli.Section(command, "The authorities", func(f *pflag.FlagSet) {
		f.BoolVar(&all, "all", false, "all that --client-ca names, as it is at first")
	})
	r.registerData(command) // the API knows nothing of it
	return command
}

// authorityKeys are the fingerprints of the keys of all authorities in PEM files, each once.
func authorityKeys(files []string) (keys []string, err error) {
	for _, file := range files {
		found, err := certificatesIn(file)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			if why := noAuthority(c); why != "" {
				return nil, fmt.Errorf("%s: the certificate of %q cannot issue others, %s: name the authority that has issued it", file, c.Subject, why)
			}
			sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
			if key := hex.EncodeToString(sum[:]); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}

// noAuthority says why a certificate cannot issue others, as TLS would see it, or nothing if it can. A device's own
// certificate, taken for an authority, would keep all other devices of its product out.
func noAuthority(c *x509.Certificate) string {
	switch {
	case c.BasicConstraintsValid && !c.IsCA:
		return "for it says CA:FALSE"
	case c.Version >= 3 && !c.BasicConstraintsValid:
		return "for it does not say CA:TRUE"
	case c.Version < 3 && !bytes.Equal(c.RawSubject, c.RawIssuer):
		return "for in X.509 version 1 only an authority that has issued itself can"
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return "for its key is not meant for that (keyCertSign)"
	}
	return ""
}

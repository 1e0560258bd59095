package main

import (
	"crypto/sha256"
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
	r.register(command)
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
			if c.BasicConstraintsValid && !c.IsCA {
				return nil, fmt.Errorf("%s: %s is no authority and cannot issue certificates", file, c.Subject)
			}
			sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
			if key := hex.EncodeToString(sum[:]); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}

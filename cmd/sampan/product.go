package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
	"sampan/cmd/internal/value"
)

func productCommand() *cobra.Command {
	return group("product", "create and list products", `Products: what devices have in common. A product has a key, which is part of every
topic of its devices, a secret, with which devices can register themselves, and topic
categories (see 'sampan topic').`,
		productCreateCommand(), productListCommand(), productShowCommand(), productAuthorityCommand())
}

func productCreateCommand() *cobra.Command {
	r := registry{makes: true}
	var p control.NewProduct
	var authorities []string
	node, format, auth := value.OneOf(control.Nodes...), value.OneOf(control.Formats...), value.OneOf(control.Auths...)
	command := &cobra.Command{
		Use:   "create",
		Short: "make a product",
		Example: `sampan product create --name thermometers
# with the key that devices in the field have
sampan product create --key a1B2c3D4e5 --secret ps-secret-1 --name thermometers --dynamic-registration`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) (err error) {
			p.Node, p.Format, p.Auth = node.String(), format.String(), auth.String()
			if p.Authorities, err = authorityKeys(authorities); err != nil {
				return err
			}
			return r.use(command.Context(), func(c control.Caller) error {
				made, err := control.CreateProduct(command.Context(), c, p)
				if err != nil {
					return err
				}
				return r.output.Print(command, made, func(w io.Writer) { printProduct(w, made) })
			})
		},
	}
	cli.Section(command, "The product", func(f *pflag.FlagSet) {
		f.StringVar(&p.Name, "name", "", "name for people")
		f.StringVar(&p.Description, "description", "", "description for people")
		f.StringVar(&p.ProductKey, "key", "", "product key; generated otherwise")
		f.StringVar(&p.ProductSecret, "secret", "", "product secret; generated otherwise")
		f.Var(&node, "node", "whether its devices connect others")
		f.Var(&format, "format", "of payloads: alink is JSON of the platform's model")
		f.Var(&auth, "auth", "how its devices prove who they are")
		f.StringArrayVar(&authorities, "authority", nil, "`FILE` with the authorities that alone may speak for its devices, PEM, once for each; see 'sampan product authority'")
		f.BoolVar(&p.DynamicRegistration, "dynamic-registration", false, "devices may ask for their secrets with the product's secret")
		f.StringArrayVar(&p.SyncServices, "sync-service", nil, "a service whose callers wait for the device's answer (repeatable)")
	})
	r.register(command)
	return command
}

func productListCommand() *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: "list", Short: "list products", Example: "sampan product list --json", Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			return r.use(command.Context(), func(c control.Caller) error {
				list, err := control.ListProducts(command.Context(), c)
				if err != nil {
					return err
				}
				return r.output.Print(command, list, func(w io.Writer) {
					rows := make([][]string, len(list))
					for i, p := range list {
						rows[i] = []string{p.ProductKey, p.Name, p.Node, p.Format, p.Auth, strconv.Itoa(p.Devices), date(p.Created)}
					}
					cli.Table(w, []string{"PRODUCT KEY", "NAME", "NODE", "FORMAT", "AUTH", "DEVICES", "CREATED"}, rows)
				})
			})
		},
	}
	r.register(command)
	return command
}

func productShowCommand() *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: "show PK", Short: "show a product with its secret", Example: "sampan product show a1B2c3D4e5", Args: cli.Args("PK"),
		RunE: func(command *cobra.Command, args []string) error {
			return r.use(command.Context(), func(c control.Caller) error {
				p, err := control.ShowProduct(command.Context(), c, args[0])
				if err != nil {
					return err
				}
				return r.output.Print(command, p, func(w io.Writer) { printProduct(w, p) })
			})
		},
	}
	r.register(command)
	return command
}

func printProduct(w io.Writer, p control.Product) {
	fmt.Fprintf(w, "productKey            %s\n", p.ProductKey)
	fmt.Fprintf(w, "productSecret         %s\n", p.ProductSecret)
	fmt.Fprintf(w, "name                  %s\n", p.Name)
	if p.Description != "" {
		fmt.Fprintf(w, "description           %s\n", p.Description)
	}
	fmt.Fprintf(w, "node                  %s\n", p.Node)
	fmt.Fprintf(w, "format                %s\n", p.Format)
	fmt.Fprintf(w, "auth                  %s\n", p.Auth)
	fmt.Fprintf(w, "dynamic registration  %t\n", p.DynamicRegistration)
	for _, key := range p.Authorities {
		fmt.Fprintf(w, "authority             %s\n", key)
	}
	if len(p.SyncServices) > 0 {
		fmt.Fprintf(w, "synchronous services  %s\n", strings.Join(p.SyncServices, ", "))
	}
	fmt.Fprintf(w, "devices               %d\n", p.Devices)
	fmt.Fprintf(w, "created               %s\n", date(p.Created))
}

// date is a time for people.
func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

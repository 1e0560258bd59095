package cli

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// Output prints the result of a command, for a person or as JSON.
type Output struct{ JSON bool }

// Register adds the flag --json to a command.
func (o *Output) Register(command *cobra.Command) {
	command.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
}

// Print prints a result: result as JSON, or what text writes.
func (o *Output) Print(command *cobra.Command, result any, text func(w io.Writer)) error {
	if !o.JSON {
		text(command.OutOrStdout())
		return nil
	}
	encoder := json.NewEncoder(command.OutOrStdout())
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

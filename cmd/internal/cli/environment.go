package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Variable is the name of the environment variable that stands for a flag: SAMPAN_TLS_POLICY for tls-policy.
func Variable(flag string) string {
	return "SAMPAN_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// FromEnvironment sets the named flags, or all flags if none is named, from environment variables, unless the
// command line has set them. The values of a list are separated by blanks.
func FromEnvironment(flags *pflag.FlagSet, names ...string) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		value, given := os.LookupEnv(Variable(f.Name))
		if !given || f.Changed || failed != nil || len(names) > 0 && !slices.Contains(names, f.Name) {
			return
		}
		var err error
		if list, isList := f.Value.(pflag.SliceValue); isList {
			err = list.Replace(strings.Fields(value))
		} else {
			err = f.Value.Set(value)
		}
		if err != nil {
			failed = fmt.Errorf("%s: %w", Variable(f.Name), err)
			return
		}
		f.Changed = true
	})
	return failed
}

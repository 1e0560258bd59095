package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"sampan/cmd/internal/cli"
)

// version is the release that the source belongs to; CHANGELOG.md has the same.
const version = "0.1.0-dev"

// versionInfo is what `sampan version` prints.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source, if the build recorded it
	Modified bool   `json:"modified,omitempty"` // the source had changes beside the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand() *cobra.Command {
	var output cli.Output
	command := &cobra.Command{
		Use:     "version",
		Short:   "print the version",
		Example: "sampan version --json",
		Args:    cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			v := thisVersion()
			return output.Print(command, v, func(w io.Writer) {
				fmt.Fprintf(w, "sampan %s (%s, %s)\n", v.Version, v.Go, v.Platform)
				if v.Revision != "" {
					fmt.Fprintf(w, "revision %s\n", v.Revision)
				}
			})
		},
	}
	output.Register(command)
	return command
}

func thisVersion() versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	return v
}

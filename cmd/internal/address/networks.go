package address

import (
	"fmt"
	"net/netip"
	"strings"
)

// Networks is the setting that names networks, one a flag: 10.0.0.0/8, 2001:db8::/32, or a single address. It
// implements pflag.Value and pflag.SliceValue.
type Networks []netip.Prefix

// Set adds a network.
func (n *Networks) Set(text string) error {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		*n = append(*n, netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is no network: write 10.0.0.0/8, 2001:db8::/32 or an address", text)
	case network != network.Masked():
		return fmt.Errorf("%s has bits behind its length; the network is %s", text, network.Masked())
	case network.Addr().Is4In6():
		return fmt.Errorf("%s: write an IPv4 network as one", text)
	}
	*n = append(*n, network)
	return nil
}

// String is the list in brackets.
func (n *Networks) String() string { return "[" + strings.Join(n.GetSlice(), " ") + "]" }

// Type is the word that --help shows for the value.
func (n *Networks) Type() string { return "network" }

// Append adds a network.
func (n *Networks) Append(text string) error { return n.Set(text) }

// Replace reads the whole list.
func (n *Networks) Replace(texts []string) error {
	var read Networks
	for _, text := range texts {
		if err := read.Set(text); err != nil {
			return err
		}
	}
	*n = read
	return nil
}

// GetSlice is the list as it would be written.
func (n *Networks) GetSlice() []string {
	texts := make([]string, len(*n))
	for i, network := range *n {
		texts[i] = network.String()
	}
	return texts
}

package listen

import (
	"errors"
	"fmt"
	"net"

	"sampan/cmd/internal/address"
)

// inherit takes over a socket that the process was started with. It must be where the address says: whoever
// reads the configuration sees what is open to whom.
func (o *Options) inherit(u *address.URL) (net.Listener, error) {
	if o.Inherited == nil {
		return nil, errors.New("this process was not started by systemd with sockets")
	}
	inner, err := o.Inherited(u.Inherited())
	if err != nil {
		return nil, err
	}
	if err := fits(u, inner.Addr()); err != nil {
		inner.Close()
		return nil, err
	}
	return inner, nil
}

// fits checks that a socket is where the address says, and fills in what that leaves open.
func fits(u *address.URL, at net.Addr) error {
	switch at := at.(type) {
	case *net.UnixAddr:
		if u.Scheme.Socket() && (u.Path == "" || u.Path == at.Name) {
			u.Path = at.Name
			return nil
		}
	case *net.TCPAddr:
		port := at.AddrPort().Port()
		if u.Scheme.Socket() || u.Port != 0 && u.Port != port {
			break
		}
		if u.Host != "" && u.Host != at.AddrPort().Addr().Unmap().String() && !(u.Host == "localhost" && at.IP.IsLoopback()) {
			break
		}
		if u.Host == "" && !at.IP.IsUnspecified() {
			u.Host = at.IP.String()
		}
		u.Port = port
		return nil
	}
	return fmt.Errorf("the socket %s is at %s", u.Inherited(), at)
}

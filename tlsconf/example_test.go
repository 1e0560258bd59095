package tlsconf_test

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sampan/tlsconf"
	"sampan/tlsconf/detect"
	"sampan/tlsconf/psk"
)

// A listener that tells its clients apart, with certificates that can be
// replaced by writing new files or by SIGHUP.
func Example() {
	server, err := tlsconf.New(tlsconf.Options{
		Policy:       tlsconf.Platform,
		Certificates: []tlsconf.Certificate{{CertFile: "server.pem", KeyFile: "server.key"}},
		ClientCAFile: "devices-ca.pem",
		CRLFiles:     []string{"devices-ca.crl"},
	})
	if err != nil {
		log.Print(err) // says which file and why
		return
	}
	for _, w := range server.Warnings() {
		log.Print(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	go server.Watch(ctx, ticker.C, func(err error) { log.Print("certificates reloaded: ", err) })
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		for range hup {
			log.Print("certificates reloaded: ", server.Reload())
		}
	}()

	keys := &psk.Config{Key: psk.PlatformKeys(func(ctx context.Context, productKey, deviceName string) (string, bool) {
		return "", false // ask the device registry
	})}
	l, err := net.Listen("tcp", "127.0.0.1:1883")
	if err != nil {
		log.Print(err)
		return
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			peeked, kind, err := detect.Client(conn)
			if err != nil {
				log.Print(err)
				return
			}
			switch kind {
			case detect.TLS:
				serve(tls.Server(peeked, server.Config()))
			case detect.PSK:
				serve(psk.Server(peeked, keys))
			case detect.MQTT:
				serve(peeked)
			}
		}()
	}
}

func serve(net.Conn) {}
